package io.twostep.benchmarks.growth;

/** Runs one study in this JVM, and prints a line for each point; started by {@link GrowthProcess}. */
final class GrowthMain {
  private GrowthMain() {}

  /** Take the study's constant. */
  public static void main(String[] arguments) throws InterruptedException {
    Growth.valueOf(arguments[0]).run(Scale.FULL, point -> System.out.println(point.text()));
  }
}
