package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.PAGE;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.HostMemoryBufferLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HostBufferTest {
  private static final long LIST = DATA + 0x10_0000;
  private static final long LENT = DATA + 0x20_0000;
  private static final int ENABLE = 1;
  private static final int ENABLE_AGAIN = 3;

  private final TinyHost host =
      TinyHost.running(
          NvmeModelConfig.DEFAULT.with(
              c -> c.hmbPreferred(64 * PAGE).hmbMinimum(8 * PAGE).hmbMinDescriptor(2 * PAGE).hmbMaxDescriptors(4)));

  @AfterEach
  void close() {
    host.close();
  }

  private int lend(int flags, long list, int pages, int pieces) {
    MemorySegment sqe = host.command(AdminOpcode.SET_FEATURES, 0);
    FeatureCommandLayout.CDW10.set(sqe, 0, FeatureId.HOST_MEMORY_BUFFER);
    FeatureCommandLayout.CDW11.set(sqe, 0, flags);
    FeatureCommandLayout.CDW12.set(sqe, 0, pages);
    FeatureCommandLayout.CDW13.set(sqe, 0, (int) list);
    FeatureCommandLayout.CDW14.set(sqe, 0, (int) (list >>> 32));
    FeatureCommandLayout.CDW15.set(sqe, 0, pieces);
    return host.admin(sqe).code();
  }

  private void describe(int index, long address, int pages) {
    MemorySegment entry = host.at(LIST + (long) index * HostMemoryBufferLayout.SIZE, HostMemoryBufferLayout.SIZE);
    HostMemoryBufferLayout.ADDRESS.set(entry, 0, address);
    HostMemoryBufferLayout.LENGTH_PAGES.set(entry, 0, pages);
  }

  private void lendTwoPieces(int flags) {
    describe(0, LENT, 4);
    describe(1, LENT + 16 * PAGE, 4);
    assertThat(lend(flags, LIST, 8, 2)).isZero();
  }

  /** Write a block of ones and find its copy in what was lent; returns where it is. */
  private long writeAndFind(Queue queue) {
    host.at(DATA, PAGE).fill((byte) 1);
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0)).code()).isZero();
    for (int page = 0; page < 20; page++) {
      if (host.at(LENT + (long) page * PAGE, PAGE).get(ValueLayout.JAVA_BYTE, PAGE - 1) == 1) {
        return LENT + (long) page * PAGE;
      }
    }
    throw new AssertionError("no copy in the memory lent");
  }

  private int read(Queue queue) {
    return host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0)).code();
  }

  @Test
  void copiesLieInTheMemoryLentAndDamageToThemIsFound() {
    lendTwoPieces(ENABLE);
    Queue queue = host.createQueue(1, 16);
    long copy = writeAndFind(queue);
    assertThat(read(queue)).isZero();
    host.at(copy, PAGE).set(ValueLayout.JAVA_BYTE, 100, (byte) 2);
    assertThat(read(queue)).isEqualTo(StatusCode.INTERNAL_ERROR);
    assertThat(host.model.violations()).singleElement().asString().contains("0x" + Long.toHexString(copy), "does not hold");
    assertThat(read(queue)).as("the medium itself is sound").isZero();
  }

  @Test
  void memoryTakenBackIsTouchedNoMore() {
    lendTwoPieces(ENABLE);
    Queue queue = host.createQueue(1, 16);
    long copy = writeAndFind(queue);
    assertThat(lend(0, 0, 0, 0)).isZero();
    host.at(copy, PAGE).fill((byte) 9);
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0)).code()).isZero();
    assertThat(read(queue)).isZero();
    assertThat(host.at(copy, PAGE).toArray(ValueLayout.JAVA_BYTE)).containsOnly(9);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void memoryHandedBackStillHoldsItsCopiesAndNewMemoryHoldsNone() {
    lendTwoPieces(ENABLE);
    long copy = writeAndFind(host.createQueue(1, 16));
    host.disable();
    host.enable();
    lendTwoPieces(ENABLE_AGAIN);
    Queue queue = host.createQueue(1, 16);
    assertThat(read(queue)).isZero();
    assertThat(lend(0, 0, 0, 0)).isZero();
    host.at(copy, PAGE).fill((byte) 5);
    lendTwoPieces(ENABLE);
    assertThat(read(queue)).as("lent anew: what it held does not matter").isZero();
    assertThat(host.model.violations()).isEmpty();
    assertThat(lend(0, 0, 0, 0)).isZero();
    host.at(copy, PAGE).fill((byte) 5);
    lendTwoPieces(ENABLE_AGAIN);
    assertThat(read(queue)).as("handed back, but not as it was").isEqualTo(StatusCode.INTERNAL_ERROR);
  }

  @Test
  void otherMemoryHandedBackAsTheOldOneIsNoted() {
    lendTwoPieces(ENABLE);
    assertThat(lend(0, 0, 0, 0)).isZero();
    describe(0, LENT + 32 * PAGE, 8);
    assertThat(lend(ENABLE_AGAIN, LIST, 8, 1)).isZero();
    assertThat(host.model.violations()).singleElement().asString().contains("handed back");
  }

  @Test
  void trimAndZeroesOfAnyLengthKeepCopiesTrue() {
    lendTwoPieces(ENABLE);
    Queue queue = host.createQueue(1, 16);
    writeAndFind(queue);
    MemorySegment zeroes = host.io(NvmOpcode.WRITE_ZEROES, 0, 1000);
    assertThat(host.execute(queue, zeroes).code()).isZero();
    assertThat(read(queue)).isZero();
    assertThat(host.at(DATA, PAGE).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void loansThatCannotBeAreRefused() {
    describe(0, LENT, 8);
    assertThat(lend(ENABLE, LIST, 7, 1)).as("sum differs").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, LIST, 4, 1)).as("below the least").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, LIST + 8, 8, 1)).as("list off 16 bytes").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, 0, 8, 1)).as("no list").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, LIST, 8, 0)).as("no piece").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, LIST, 8, 5)).as("too many pieces").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(lend(ENABLE, 0x40_0000_0000L, 8, 1)).as("list nowhere").isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
    describe(0, LENT + 512, 8);
    assertThat(lend(ENABLE, LIST, 8, 1)).as("off the page").isEqualTo(StatusCode.INVALID_FIELD);
    describe(0, LENT, 7);
    describe(1, LENT + 16 * PAGE, 1);
    assertThat(lend(ENABLE, LIST, 8, 2)).as("a piece too small").isEqualTo(StatusCode.INVALID_FIELD);
    lendTwoPieces(ENABLE);
    assertThat(lend(ENABLE, LIST, 8, 2)).as("lent already").isEqualTo(StatusCode.COMMAND_SEQUENCE_ERROR);
  }

  @Test
  void controllersThatWantNoneKnowNoSuchFeature() {
    try (TinyHost without = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      MemorySegment sqe = without.command(AdminOpcode.SET_FEATURES, 0);
      FeatureCommandLayout.CDW10.set(sqe, 0, FeatureId.HOST_MEMORY_BUFFER);
      assertThat(without.admin(sqe).code()).isEqualTo(StatusCode.INVALID_FIELD);
    }
    assertThatThrownBy(() -> NvmeModelConfig.DEFAULT.with(c -> c.hmbPreferred(PAGE + 1))).hasMessageContaining("4 KiB");
  }

  @Test
  void blocksWrittenWhileTheMemoryIsAwayHaveNoCopyWhenItComesBack() {
    lendTwoPieces(ENABLE);
    Queue queue = host.createQueue(1, 16);
    writeAndFind(queue);
    assertThat(lend(0, 0, 0, 0)).isZero();
    host.at(DATA, PAGE).fill((byte) 7);
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0)).code()).isZero();
    lendTwoPieces(ENABLE_AGAIN);
    assertThat(read(queue)).isZero();
    assertThat(host.model.violations()).isEmpty();
  }
}
