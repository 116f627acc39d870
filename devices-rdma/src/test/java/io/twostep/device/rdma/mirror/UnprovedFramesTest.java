package io.twostep.device.rdma.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Frames that a device could not be proved away from: whoever holds them on, nobody is given them afterwards. */
class UnprovedFramesTest {
  private static final long PAGE = 4096;

  private final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "256M")));
  private final FramePool pool = new FramePool(machine.memory(), MemoryPlacement.SCATTERED, 64L << 20);
  private final ProcessMemory process = new ProcessMemory("p", pool);
  private final long va = process.map(PAGE, true);

  @AfterEach
  void close() {
    process.close();
    pool.close();
    machine.close();
  }

  private void write() {
    process.write(va, MemorySegment.ofArray(new byte[] {1}), 0, 1);
  }

  /** A device that reaches the page and does not let go of it during one change. */
  private void changeUnproved(Runnable change) {
    Subscription stubborn =
        process.subscribe(
            va,
            PAGE,
            (start, length, reason) -> {
              throw new IllegalStateException("hung");
            });
    change.run();
    stubborn.close();
  }

  @Test
  void aPinnedFrameIsNotReusedOnceItIsUnpinned() {
    write();
    PinnedPages pinned = process.pin(va, PAGE, true, PinBudget.unlimited());
    changeUnproved(() -> process.discard(va, PAGE));
    assertThat(pool.quarantinedFrames()).as("still somebody's").isZero();
    pinned.close();
    assertThat(pool.quarantinedFrames()).isEqualTo(1);
    assertThat(pool.framesInUse()).isZero();
  }

  @Test
  void aFrameThatTheChangeLeftInPlaceIsNotReusedAfterTheNextOne() {
    write();
    changeUnproved(() -> process.protect(va, PAGE, false));
    process.discard(va, PAGE);
    assertThat(pool.quarantinedFrames()).isEqualTo(1);
  }

  @Test
  void aFrameThatAForkLeftInPlaceIsNotReusedOnceBothHaveLetGo() {
    write();
    List<ProcessMemory> children = new ArrayList<>();
    changeUnproved(() -> children.add(process.fork()));
    process.discard(va, PAGE);
    assertThat(pool.quarantinedFrames()).as("still the child's").isZero();
    children.getFirst().close();
    assertThat(pool.quarantinedFrames()).isEqualTo(1);
  }

  @Test
  void framesThatTheDeviceNeverHadAreReused() {
    long other = process.map(PAGE, true);
    process.write(other, MemorySegment.ofArray(new byte[] {1}), 0, 1);
    write();
    changeUnproved(process::close);
    assertThat(pool.quarantinedFrames()).isEqualTo(1);
  }

  @Test
  void aSharedFrameIsNotReusedOnceTheLastProcessLetsGo() {
    write();
    try (ProcessMemory child = process.fork()) {
      changeUnproved(() -> process.discard(va, PAGE));
      assertThat(pool.quarantinedFrames()).as("still the child's").isZero();
      child.discard(va, PAGE);
      assertThat(pool.quarantinedFrames()).isEqualTo(1);
    }
  }
}
