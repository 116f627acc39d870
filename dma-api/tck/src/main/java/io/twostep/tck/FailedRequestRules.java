package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.tck.FaultPlan.Call;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rule E2d: a request that fails leaves the caller's bytes as they were, whatever slots held and whatever the device did meanwhile. */
public interface FailedRequestRules extends TckFixture {
  /** Directions and attributes under which something may be copied out. */
  record Request(DmaDirection direction, int attributes) {}

  private static List<Request> requests() {
    return List.of(
        new Request(DmaDirection.FROM_DEVICE, DmaAttributes.NONE),
        new Request(DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE),
        new Request(DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE),
        new Request(DmaDirection.BIDIRECTIONAL, DmaAttributes.OVERWRITE));
  }

  /** E2d. */
  @Test
  @Tag("breaks:device-used-unsynced")
  default void e2dRequestThatItsSinkRefusesLeavesTheBytesAlone() {
    MemoryBlock block = rig().memory(spaced(256 << 10));
    byte[] expected = Bytes.of(block, 0, block.length());
    Ranges source = ranges(block);
    for (Request request : requests()) {
      leaveForeignBytesInSlots(rig());
      for (int last = 0; last < 3; last++) {
        int refused = last;
        int[] entries = {0};
        try (DmaTransfer transfer = rig().mapper().newTransfer()) {
          long mapped =
              transfer.map(
                  source,
                  request.direction,
                  request.attributes,
                  (address, length, kind) -> {
                    if (!has(Behavior.IN_PLACE)) {
                      // It was not given the memory yet, and what it does to a slot is nobody's.
                      rig().device().tryWrite(address, Bytes.random(64, refused));
                    }
                    return entries[0]++ < refused;
                  });
          if (entries[0] <= refused) {
            assertThat(mapped).as("entries of a request that its sink took").isEqualTo(entries[0]);
            break;
          }
          assertThat(mapped).as("what a sink refused").isEqualTo(-1);
        }
        assertThat(Bytes.of(block, 0, block.length())).as("%s, refused at entry %d", request, refused).isEqualTo(expected);
      }
      Bytes.put(block, 0, expected);
    }
  }

  /** E2d. */
  @Test
  default void e2dRequestThatFailsBelowLeavesTheBytesAlone() {
    for (Request request : List.of(requests().getFirst(), requests().getLast())) {
      boolean fired = true;
      for (int n = 1; fired && n <= MOST_CALLS; n++) {
        TckRig one = open(setup());
        MemoryBlock block = one.memory(spaced(256 << 10));
        leaveForeignBytesInSlots(one);
        one.machine().faults().arm(Call.ANY, n);
        requireKept(one, block, request, "a transfer, call %d".formatted(n), () -> transfer(one, block, request));
        requireKept(one, block, request, "a mapping, call %d".formatted(n), () -> mapping(one, block, request));
        if (has(Behavior.COPIES_TOGETHER)) {
          requireKept(one, block, request, "a linear mapping, call %d".formatted(n), () -> linear(one, block, request));
        }
        if (has(Behavior.STAGES_FOREIGN_MEMORY)) {
          staged(one, request);
        }
        fired = one.machine().faults().fired();
        one.machine().faults().disarm();
        one.close();
      }
      requireAllSwept(fired);
    }
  }

  /** Do something that may fail; if it does, nothing of the block has changed, neither at once nor when the device was reset. */
  private static void requireKept(TckRig rig, MemoryBlock block, Request request, String what, Runnable work) {
    byte[] before = Bytes.random((int) block.length(), request.hashCode());
    Bytes.put(block, 0, before);
    try {
      work.run();
    } catch (DmaMappingException e) {
      assertThat(Bytes.of(block, 0, block.length())).as("%s of %s: %s", request, what, e.getMessage()).isEqualTo(before);
      reset(rig);
      assertThat(Bytes.of(block, 0, block.length())).as("%s of %s, after a reset: %s", request, what, e.getMessage()).isEqualTo(before);
    }
  }

  private static void reset(TckRig rig) {
    rig.slot().reset();
    rig.slot().busMaster(true);
    assertThat(rig.mapper().releaseQuarantined()).as("quarantined after a reset").isZero();
  }

  private void transfer(TckRig rig, MemoryBlock block, Request request) {
    DmaTransfer transfer = rig.mapper().newTransfer();
    try {
      transfer.map(ranges(block), request.direction, request.attributes, (address, length, kind) -> true);
      close(rig, transfer);
    } catch (DmaMappingException e) {
      transfer.close();
      throw e;
    }
  }

  private void mapping(TckRig rig, MemoryBlock block, Request request) {
    close(rig, rig.mapper().map(block.phys(crooked()), rounded(20_000), request.direction, request.attributes));
  }

  private void linear(TckRig rig, MemoryBlock block, Request request) {
    LinearMapping linear = rig.mapper().newLinear();
    try {
      linear.map(ranges(block), request.direction, request.attributes, LinearPolicy.MAY_BOUNCE);
      close(rig, linear);
    } catch (DmaMappingException e) {
      linear.close();
      throw e;
    }
  }

  private void staged(TckRig rig, Request request) {
    byte[] heap = Bytes.random(5000, 9);
    DmaMapping mapping;
    try {
      mapping = rig.mapper().map(MemorySegment.ofArray(heap), request.direction, request.attributes);
    } catch (DmaMappingException e) {
      assertThat(heap).as("%s of a heap array that failed", request).isEqualTo(Bytes.random(5000, 9));
      reset(rig);
      assertThat(heap).as("%s of a heap array that failed, after a reset", request).isEqualTo(Bytes.random(5000, 9));
      return;
    }
    close(rig, mapping);
  }

  /** Tear down what was mapped; that fails too, when its time has come, and is not what this is about. */
  private static void close(TckRig rig, AutoCloseable handle) {
    try {
      handle.close();
    } catch (Exception e) {
      assertThat(e).isInstanceOf(DmaMappingException.class);
      reset(rig);
    }
  }

  /** What other requests held, a copy out of slots that nobody filled would show. */
  private void leaveForeignBytesInSlots(TckRig rig) {
    MemoryBlock foreign = rig.memory(spaced(128 << 10));
    try (DmaMapping one = rig.map(foreign, crooked(), rounded(50_000), DmaDirection.TO_DEVICE);
        DmaMapping other = rig.map(foreign, crooked() + spaced(64 << 10), rounded(50_000), DmaDirection.TO_DEVICE)) {
      assertThat(one.length()).isEqualTo(other.length());
    }
    foreign.close();
  }

  private Ranges ranges(MemoryBlock block) {
    return new Ranges().add(block.phys(crooked()), rounded(5000)).add(block.phys(spaced(64 << 10)), rounded(9000)).add(block.phys(spaced(128 << 10) + crooked()), rounded(20_000));
  }
}
