package io.twostep.platform;

import java.util.List;

/** Everything that is wrong with a platform, found in one go: one line for each problem, numbered in the message. */
public final class PlatformException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String[] problems;

  PlatformException(String title, List<String> problems) {
    super(text(title, problems));
    this.problems = problems.toArray(String[]::new);
  }

  /** Return the problems, one line each. */
  public List<String> problems() {
    return List.of(problems);
  }

  private static String text(String title, List<String> problems) {
    if (problems.size() == 1) {
      return title + ": " + problems.getFirst();
    }
    StringBuilder text = new StringBuilder(title).append(", ").append(problems.size()).append(" problems:");
    for (int i = 0; i < problems.size(); i++) {
      text.append("\n  ").append(i + 1).append(". ").append(problems.get(i));
    }
    return text.toString();
  }
}
