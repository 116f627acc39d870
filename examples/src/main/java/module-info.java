/** The {@code twostep} command line, and small mains that show one idea each. */
module io.twostep.examples {
  requires static org.jspecify;
  requires info.picocli;
  requires io.twostep.platform;

  opens io.twostep.examples.cli to info.picocli;
}
