package io.twostep.examples.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.debug.OnError;
import io.twostep.backend.debug.Rule;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.platform.Platform;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The checker on top of what the command line runs has nothing to say: not of the driver, not of its device, and not of any stack. */
class CheckerSilenceTest {
  private static final long SEED = Long.getLong("twostep.seed", 20261121L);

  @TempDir Path work;

  private Path file(int size) throws Exception {
    byte[] bytes = new byte[size];
    new Random(SEED).nextBytes(bytes);
    return Files.write(work.resolve("file"), bytes);
  }

  @ParameterizedTest
  @EnumSource
  void everyStackOfTheNvmeCommandIsSilent(Strategy strategy) throws Exception {
    int size = 150_001;
    NvmeWorkload load = new NvmeWorkload(file(size), "model", Map.of("iotlb", "adversarial"), 64 << 10, 4, 2);
    byte[] digest = Digests.of(load.file(), size);
    List<StackChoice> stacks = Stacks.all(Platform.plugins().plugins(), "", "");
    assertThat(stacks).hasSizeGreaterThan(6);
    for (StackChoice stack : stacks) {
      List<String> watched = new ArrayList<>(List.of("debug"));
      watched.addAll(stack.backends());
      RunResult run =
          new StrategyRun(load, new StackChoice(stack.label(), watched, stack.settings(), stack.machineSettings()), strategy, size)
              .count(digest, (what, done, total) -> {});
      assertThat(run.verified()).as(stack.label()).isTrue();
      assertThat(run.checker()).as(stack.label()).contains("mappings followed, 0 reports").doesNotContain(": 0 mappings");
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyTreeOfThePeerCommandIsSilent(PeerTree tree) throws Exception {
    DebugBackend checker = new DebugBackend(DebugConfig.defaults().withOnError(OnError.COUNT));
    PeerCopyResult copy = PeerCopy.run(file(200_001), tree, (what, done, total) -> {}, List.of(checker));
    checker.close();
    assertThat(copy.verified()).isTrue();
    assertThat(checker.statistics().followed()).as("mappings of both controllers").isGreaterThan(10);
    assertThat(checker.reports(Integer.MAX_VALUE)).as("seed %d", SEED).isEmpty();
    assertThat(checker.statistics().reports()).isZero();
  }

  @Test
  void whatTheCheckerHasToSayIsHeard() throws Exception {
    // The opposite of the above: a checker that follows nothing would be silent too.
    DebugBackend checker = new DebugBackend(DebugConfig.defaults().withOnError(OnError.COUNT));
    Path second = Files.createTempFile(work, "second", ".img");
    try (PeerPair pair = new PeerPair(PeerTree.SWITCH, file(4096), 8, second, 8, List.of(checker))) {
      MemoryBlock block = pair.machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = pair.first.mapper().map(block.phys(0), 4096, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
        block.segment().fill((byte) 1);
        mapping.syncForCpu(0, 4096);
      }
      block.close();
    }
    assertThat(checker.statistics().byRule()).as("a sync against the direction").containsOnlyKeys(Rule.SYNC_DIRECTION);
  }
}
