package io.twostep.examples.temporary;

/** Something to do when the JVM is told to end; until closed, which is when there is nothing left to do. */
public final class AtEnd implements AutoCloseable {
  private final Thread hook;

  private AtEnd(Thread hook) {
    this.hook = hook;
  }

  /** Have {@code work} done, on a thread of its own, if the JVM is told to end before this is closed. */
  public static AtEnd run(String name, Runnable work) {
    Thread hook = new Thread(work, name);
    Runtime.getRuntime().addShutdownHook(hook);
    return new AtEnd(hook);
  }

  /** Tell whether the JVM was told to end. What fails from then on fails for want of what is being cleared away. */
  public static boolean hasBegun() {
    Thread none = new Thread(() -> {}, "none");
    try {
      Runtime.getRuntime().addShutdownHook(none);
      Runtime.getRuntime().removeShutdownHook(none);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The end is what brought us here.
    }
  }
}
