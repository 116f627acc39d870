package io.twostep.benchmarks.growth;

import java.util.Locale;
import java.util.function.Consumer;

/** The studies there are. */
@SuppressWarnings("ImmutableEnumChecker")
public enum Growth {
  /** Pages of a request. */
  REQUESTS(RequestStudy::run),
  /** What is live. */
  LIVE(LiveStudy::run),
  /** Threads. */
  THREADS(ThreadStudy::run),
  /** Operations done. */
  AGE(AgeStudy::run),
  /** Bytes of RAM. */
  MEMORY(MemoryStudy::run);

  private final Study study;

  Growth(Study study) {
    this.study = study;
  }

  /** Return the name users write. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  void run(Scale scale, Consumer<Measured> to) throws InterruptedException {
    study.run(scale, to);
  }

  /** Measures, and hands over each point as it comes. */
  private interface Study {
    void run(Scale scale, Consumer<Measured> to) throws InterruptedException;
  }
}
