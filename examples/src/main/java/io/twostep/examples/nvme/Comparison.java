package io.twostep.examples.nvme;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BiFunction;

/**
 * What came of a file: every stack with every strategy.
 *
 * @param bytes size of the file
 * @param sha256 its digest, in hex
 * @param runs one for each stack and strategy
 */
public record Comparison(long bytes, String sha256, List<RunResult> runs) {
  public Comparison {
    runs = List.copyOf(runs);
  }

  /** Tell whether every byte came back in every run. */
  public boolean isVerified() {
    return !runs.isEmpty() && runs.stream().allMatch(RunResult::verified);
  }

  /**
   * Run all.
   *
   * @param listeners makes the listener of each run
   * @throws io.twostep.platform.PlatformException if a stack cannot be assembled
   * @throws IOException if the file or the temporary store cannot be read or written
   */
  public static Comparison run(
      NvmeWorkload work, List<StackChoice> stacks, List<Strategy> strategies, BiFunction<StackChoice, Strategy, ProgressListener> listeners)
      throws IOException {
    for (StackChoice stack : stacks) {
      Assembled.describe(work, stack, Strategy.TWO_STEP, work.file(), NvmeWorkload.BLOCK, null).check();
    }
    long size = Files.size(work.file());
    byte[] digest = Digests.of(work.file(), size);
    List<RunResult> runs = new ArrayList<>();
    for (StackChoice stack : stacks) {
      for (Strategy strategy : strategies) {
        runs.add(new StrategyRun(work, stack, strategy, size).count(digest, listeners.apply(stack, strategy)));
      }
    }
    // Times come last, when all the code has been used: whoever ran first would otherwise pay for all.
    int at = 0;
    for (StackChoice stack : stacks) {
      for (Strategy strategy : strategies) {
        runs.set(at, runs.get(at).with(new StrategyRun(work, stack, strategy, size).time()));
        at++;
      }
    }
    return new Comparison(size, HexFormat.of().formatHex(digest), runs);
  }
}
