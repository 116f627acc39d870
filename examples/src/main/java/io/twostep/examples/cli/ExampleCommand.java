package io.twostep.examples.cli;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Runs the small mains, each of which shows one idea. */
@Command(
    name = "example",
    description = {"Run one of the small mains that show one idea each, or, without NAME, list them.", "Exit status: 0 if it did what it shows, 1 if not, 2 for bad input."},
    mixinStandardHelpOptions = true)
final class ExampleCommand extends CommandWork {
  @Parameters(paramLabel = "NAME", arity = "0..1", description = "Which one.")
  private String name = "";

  @Parameters(index = "1..*", paramLabel = "ARGUMENT", description = "What it is given.")
  private List<String> arguments = new ArrayList<>();

  @Override
  public Integer call() {
    if (name.isEmpty()) {
      TextTable table = new TextTable("");
      for (SmallMain each : SmallMain.ALL) {
        table.row(each.name(), each.arguments(), each.idea());
      }
      out().println(String.join(System.lineSeparator(), table.lines()));
      return CommandLineMain.DONE;
    }
    SmallMain chosen = SmallMain.of(name);
    if (chosen.arguments().isEmpty() && !arguments.isEmpty()) {
      throw new BadInput(name + " takes no arguments, and was given " + String.join(" ", arguments));
    }
    try {
      chosen.main().run(arguments.toArray(String[]::new));
    } catch (NoSuchFileException e) {
      throw new BadInput(e.getMessage() + ": there is no such file");
    } catch (IOException e) {
      throw new BadInput(String.join(" ", arguments) + " cannot be read: " + Reason.of(e));
    }
    return CommandLineMain.DONE;
  }
}
