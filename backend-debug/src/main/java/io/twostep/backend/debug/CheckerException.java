package io.twostep.backend.debug;

/** A broken rule, thrown where it was broken; see {@link OnError#THROW}. The cause, if there is one, is where the mapping was made or torn down earlier. */
public final class CheckerException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Rule rule;

  CheckerException(Report report) {
    super(report.headline(), report.earlier());
    this.rule = report.rule();
  }

  /** Return the broken rule. */
  public Rule rule() {
    return rule;
  }
}
