package io.twostep.backend.debug.silence;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** Which rules the tests said they break, and have not broken yet: on none of the stacks that they ran on. Thread-safe. */
final class Announcements {
  private record Announcement(Method test, String rule) {
    @Override
    public String toString() {
      return test.getDeclaringClass().getSimpleName() + "." + test.getName() + ": " + rule;
    }
  }

  private final Map<Announcement, Boolean> kept = new ConcurrentHashMap<>();

  /** Note one run of a test: what it announces, and what it broke, by the names of rules. */
  void heard(Method test, Set<String> announced, Set<String> broken) {
    for (String rule : announced) {
      kept.merge(new Announcement(test, rule), broken.contains(rule), Boolean::logicalOr);
    }
  }

  /** Return the rules that tests announced and never broke, each as {@code Class.method: rule}. */
  List<String> empty() {
    Set<String> empty = new TreeSet<>();
    kept.forEach(
        (announcement, broken) -> {
          if (!broken) {
            empty.add(announcement.toString());
          }
        });
    return new ArrayList<>(empty);
  }
}
