package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What the commands tell of themselves, and what the README tells of them. */
class HelpTest {
  private static final Pattern OPTION = Pattern.compile("(?<=`)--[a-z-]+");

  static Stream<CommandLine> commands() {
    return CommandLineMain.commands().getSubcommands().values().stream();
  }

  @ParameterizedTest
  @MethodSource("commands")
  void theReadmeTellsTheOptionsOfACommandAndNoOthers(CommandLine command) throws IOException {
    String row = "| `" + command.getCommandName() + "` | ";
    String told = Files.readAllLines(Path.of("README.md")).stream().dropWhile(line -> !line.equals("## Options")).filter(line -> line.startsWith(row)).findFirst().orElse("");
    Set<String> options = new TreeSet<>();
    for (Matcher found = OPTION.matcher(told); found.find(); ) {
      options.add(found.group());
    }
    assertThat(options).isEqualTo(optionsOf(command));
  }

  private static Set<String> optionsOf(CommandLine command) {
    Set<String> options = new TreeSet<>();
    for (OptionSpec option : command.getCommandSpec().options()) {
      if (!option.usageHelp() && !option.versionHelp() && !option.hidden()) {
        options.add(option.longestName());
      }
    }
    return options;
  }

  @Test
  void everyCommandTellsItsExitStatus() {
    assertThat(commands()).allSatisfy(command -> assertThat(command.getUsageMessage()).contains("Exit status: "));
  }
}
