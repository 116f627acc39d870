package io.twostep.examples.cli;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Names;
import io.twostep.examples.temporary.AtEnd;
import io.twostep.platform.PlatformException;
import java.io.File;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** Runs commands: output to one stream, one line per failure to the other, and an exit status. */
public final class CommandLineMain {
  /** Everything was done. */
  public static final int DONE = 0;

  /** The work failed. */
  public static final int FAILED = 1;

  /** The input cannot work. */
  public static final int BAD_INPUT = 2;

  private static final char NOT_UTF_8 = '\ufffd';

  private CommandLineMain() {}

  /** Run a command and return its exit status. */
  public static int run(PrintStream out, PrintStream err, String... arguments) {
    PrintWriter outWriter = new PrintWriter(out, true, StandardCharsets.UTF_8);
    PrintWriter errWriter = new PrintWriter(err, true, StandardCharsets.UTF_8);
    CommandLine commands = commands();
    commands.setOut(outWriter).setErr(errWriter).setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF));
    commands.setParameterExceptionHandler((e, args) -> refuse(errWriter, describe(e)));
    commands.setExecutionStrategy(CommandLineMain::execute);
    commands.setExecutionExceptionHandler((e, command, parsed) -> AtEnd.hasBegun() ? FAILED : fail(errWriter, e));
    try {
      return commands.execute(arguments);
    } catch (OutOfMemoryError e) {
      errWriter.printf("twostep: failed: Java's heap of %d MiB is too small for this; set TWOSTEP_JAVA_OPTIONS=-Xmx4g, or more%n", Runtime.getRuntime().maxMemory() >> 20);
      return FAILED;
    }
  }

  /** Make all commands, other modules' too. */
  static CommandLine commands() {
    CommandLine commands = new CommandLine(new Root());
    commands.addSubcommand(new NvmeCommand());
    commands.addSubcommand(new PeerCommand());
    commands.addSubcommand(new RdmaCommand());
    commands.addSubcommand(new MigrateCommand());
    commands.addSubcommand(new CompareCommand());
    commands.addSubcommand(new CaptureCommand());
    commands.addSubcommand(new ExampleCommand());
    commands.addSubcommand(new PluginsCommand());
    commands.addSubcommand(new DevicesCommand());
    commands.addSubcommand(new ServeCommand());
    commands.addSubcommand(new GuestTestCommand());
    for (CommandSource source : ServiceLoader.load(CommandSource.class)) {
      source.commands().forEach(commands::addSubcommand);
    }
    commands.getSubcommands().values().forEach(command -> command.getCommandSpec().versionProvider(new VersionText()));
    // A file may be called @something: its bytes are no arguments.
    return commands.setExpandAtFiles(false);
  }

  /** Run what was parsed, unless something was given that is empty: much is taken for left out then, and something else would be done than was asked for. */
  private static int execute(ParseResult parsed) {
    CommandLine command = parsed.asCommandLineList().getLast();
    ParseResult own = command.getParseResult();
    if (!own.isUsageHelpRequested() && !own.isVersionHelpRequested()) {
      for (OptionSpec option : own.matchedOptions()) {
        if (option.arity().max() > 0 && option.originalStringValues().contains("")) {
          throw new ParameterException(command, "option '" + option.longestName() + "' is empty; give " + option.paramLabel() + ", or leave it out");
        }
        if (option.arity().max() == 0 && hasEmptyValue(option, parsed.originalArgs())) {
          throw new ParameterException(command, "option '" + option.longestName() + "' is empty; give true or false, or leave '=' out");
        }
        requireWhole(command, option.longestName(), option.originalStringValues());
      }
      for (PositionalParamSpec parameter : own.matchedPositionals()) {
        if (parameter.arity().min() == 0 && parameter.originalStringValues().contains("")) {
          throw new ParameterException(command, "parameter " + parameter.paramLabel() + " is empty; give one, or leave it out");
        }
        requireWhole(command, parameter.paramLabel(), parameter.originalStringValues());
      }
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  /** Refuse names whose bytes Java lost: it puts one character for all that is not UTF-8, opens other files by such a name, and makes new ones that nobody asked for. */
  private static void requireWhole(CommandLine command, String what, List<String> values) {
    for (String value : values) {
      if (value.indexOf(NOT_UTF_8) >= 0 && !new File(value).exists()) {
        throw new ParameterException(command, what + " is '" + value + "'; Java cannot open names that are not UTF-8: rename it, or give a link to it (ln -s)");
      }
    }
  }

  /** Tell whether a switch was given as {@code --switch=}, which the parser takes for false. */
  private static boolean hasEmptyValue(OptionSpec option, List<String> arguments) {
    return arguments.stream().takeWhile(argument -> !argument.equals("--")).map(String::strip).anyMatch(argument -> Arrays.stream(option.names()).anyMatch(name -> argument.equals(name + "=")));
  }

  private static int refuse(PrintWriter err, String message) {
    err.println("twostep: " + Printable.of(message));
    return BAD_INPUT;
  }

  private static int fail(PrintWriter err, Exception e) {
    int status = tell(err, e);
    if (Boolean.getBoolean("twostep.trace")) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace));
      trace.toString().lines().map(line -> line.startsWith("\t") ? "\t" + Printable.of(line.substring(1)) : Printable.of(line)).forEach(err::println);
    }
    return status;
  }

  private static int tell(PrintWriter err, Exception e) {
    if (e instanceof BadInput) {
      return refuse(err, String.valueOf(e.getMessage()));
    }
    if (e instanceof DmaMappingException || e instanceof IllegalArgumentException) {
      return refuse(err, oneLine(String.valueOf(e.getMessage())));
    }
    if (e instanceof PlatformException assembly) {
      return refuse(err, oneLine(String.join("; ", assembly.problems())));
    }
    err.println("twostep: failed: " + Printable.of(oneLine(Reason.of(e))));
    return FAILED;
  }

  private static String describe(ParameterException e) {
    String hint = " (try: twostep " + path(e.getCommandLine()) + "--help)";
    if (e instanceof UnmatchedArgumentException unmatched) {
      String first = unmatched.getUnmatched().getFirst();
      if (e.getCommandLine().getParent() == null && !first.startsWith("-")) {
        return "unknown command '" + first + "'" + Names.suggest(first, e.getCommandLine().getSubcommands().keySet()) + hint;
      }
      if (!unmatched.getSuggestions().isEmpty()) {
        return e.getMessage() + "; did you mean '" + unmatched.getSuggestions().getFirst() + "'?" + hint;
      }
    }
    return e.getMessage() + hint;
  }

  private static String path(CommandLine command) {
    return command.getParent() == null ? "" : command.getCommandName() + " ";
  }

  /** Return what others worded, who may use several lines; our own refusals have one, and line ends only in names. */
  private static String oneLine(String text) {
    return text.lines().map(String::strip).filter(line -> !line.isEmpty()).reduce((a, b) -> a + " " + b).orElse("");
  }

  /** What {@code twostep} alone does: say what there is. */
  @Command(
      name = "twostep",
      description = "DMA mapping for Java: drivers, mapping backends and machines, in software or on this machine.",
      mixinStandardHelpOptions = true,
      versionProvider = VersionText.class)
  static final class Root implements Runnable {
    @Spec private @org.jspecify.annotations.Nullable CommandSpec spec;

    @Override
    public void run() {
      if (spec != null) {
        spec.commandLine().usage(spec.commandLine().getOut());
      }
    }
  }
}
