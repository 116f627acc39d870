package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The page of rules and the tests of the kit name each other. */
class RulesPageTest {
  private static final Pattern RULE = Pattern.compile("^- \\*\\*([EP]\\d+[a-z])\\*\\* ((?:.|\\R  )+)", Pattern.MULTILINE);
  private static final Pattern CITED = Pattern.compile("^([ep]\\d+[a-z])[A-Z].*");

  @Test
  void everyTestCitesARuleOfThePage() throws IOException {
    assertThat(tests()).hasSizeGreaterThan(60).allSatisfy(name -> assertThat(name).matches(CITED));
    assertThat(rules().keySet()).containsAll(cited());
  }

  @Test
  void everyMustHasATestAndEveryRuleAVerb() throws IOException {
    Set<String> musts = new TreeSet<>();
    rules()
        .forEach(
            (number, text) -> {
              assertThat(text).as(number).containsPattern("\\b(MUST|SHOULD)\\b");
              if (text.contains("MUST")) {
                musts.add(number);
              }
            });
    assertThat(cited()).containsAll(musts);
  }

  private static Map<String, String> rules() throws IOException {
    String page = Files.readString(Path.of("../../docs/writing-a-backend.md"));
    Map<String, String> rules = new TreeMap<>();
    Matcher rule = RULE.matcher(page);
    while (rule.find()) {
      assertThat(rules.put(rule.group(1), rule.group(2))).as("rule %s stands once", rule.group(1)).isNull();
    }
    return rules;
  }

  private static Set<String> cited() {
    return tests().stream()
        .map(CITED::matcher)
        .filter(Matcher::matches)
        .map(matcher -> matcher.group(1).substring(0, 1).toUpperCase(Locale.ROOT) + matcher.group(1).substring(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> tests() {
    return Arrays.stream(BackendTck.class.getMethods())
        .filter(method -> method.isAnnotationPresent(Test.class))
        .map(Method::getName)
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
