package io.twostep.backend.debug;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The table of rules: complete, tested, and the same as the README's. */
class RuleTest {
  @Test
  void thereAreMoreRulesThanTheReferenceHas() {
    assertThat(Rule.values()).hasSizeGreaterThanOrEqualTo(44);
  }

  @Test
  void everyRuleSaysWhatHappenedWhatToDoAndWhichRuleItIs() {
    for (Rule rule : Rule.values()) {
      assertThat(rule.meaning()).as(rule.name()).matches("[a-zA-Z].*[^.]");
      assertThat(rule.remedy()).as(rule.name()).matches("[a-zA-Z].*[^.]");
      assertThat(rule.reference()).as(rule.name()).matches("(CONTRACT [A-D] .*|E\\d+)(, E\\d+)?");
    }
    assertThat(Arrays.stream(Rule.values()).map(Rule::meaning)).doesNotHaveDuplicates();
  }

  @Test
  void everyRuleIsBrokenByATest() {
    String tests = sources(Path.of("src/test/java"));
    List<String> untested = new ArrayList<>();
    for (Rule rule : Rule.values()) {
      boolean asserted = tests.contains("only(Rule." + rule + ",") || tests.contains("one(Rule." + rule + ",") || tests.contains(", " + rule + "\"");
      if (!asserted) {
        untested.add(rule.name());
      }
    }
    assertThat(untested).isEmpty();
  }

  @Test
  void theReadmeHasTheSameTable() throws IOException {
    String table = table();
    assertThat(Files.readString(Path.of("README.md"))).as("the table should be\n%s", table).contains(table);
  }

  private static String table() {
    StringBuilder table = new StringBuilder("| rule | what happened | what to do | breaks |\n|---|---|---|---|\n");
    for (Rule rule : Rule.values()) {
      table.append("| `%s` | %s | %s | %s |%n".formatted(rule.text(), rule.meaning(), rule.remedy(), rule.reference()));
    }
    return table.toString();
  }

  private static String sources(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      StringBuilder all = new StringBuilder();
      for (Path file : files.filter(path -> path.toString().endsWith("Test.java")).toList()) {
        all.append(Files.readString(file));
      }
      return all.toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
