package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.PAGE;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.DsmCommandLayout;
import io.twostep.device.nvme.wire.DsmRangeLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.tck.Allocation;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class IoCommandsTest {
  private static final int BLOCKS = 4096;

  private TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(BLOCKS, 512))));
  private Queue queue = host.createQueue(1, 64);

  @AfterEach
  void close() {
    host.close();
  }

  private void restart(NvmeModelConfig config) {
    host.close();
    host = TinyHost.running(config);
    queue = host.createQueue(1, 64);
  }

  private int status(MemorySegment sqe) {
    return host.execute(queue, sqe).code();
  }

  private byte[] bytes(long address, int length) {
    return host.at(address, length).toArray(ValueLayout.JAVA_BYTE);
  }

  private byte[] fill(long address, int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    host.at(address, length).copyFrom(MemorySegment.ofArray(bytes));
    return bytes;
  }

  @Test
  void blocksComeBackAsTheyWereWritten() {
    byte[] written = fill(DATA, 3 * PAGE, 1);
    MemorySegment write = prp(host.io(NvmOpcode.WRITE, 7, 16), DATA, DATA + PAGE);
    assertThat(status(write)).isEqualTo(StatusCode.SUCCESS);
    assertThat(status(prp(host.io(NvmOpcode.READ, 7, 12), DATA + 0x10_0204, DATA + 0x20_0000))).isZero();
    assertThat(bytes(DATA + 0x10_0204, PAGE - 0x204)).isEqualTo(Arrays.copyOf(written, PAGE - 0x204));
    assertThat(bytes(DATA + 0x20_0000, PAGE)).startsWith(Arrays.copyOfRange(written, PAGE - 0x204, 12 * 512));
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void blocksNeverWrittenReadAsZeroes() {
    fill(DATA, PAGE, 3);
    assertThat(status(prp(host.io(NvmOpcode.READ, BLOCKS - 8, 8), DATA, 0))).isZero();
    assertThat(bytes(DATA, PAGE)).containsOnly(0);
  }

  @Test
  void rangeOutsideTheNamespaceIsRefusedWhateverItsArithmetic() {
    assertThat(status(prp(host.io(NvmOpcode.READ, BLOCKS - 7, 8), DATA, 0))).isEqualTo(StatusCode.LBA_OUT_OF_RANGE);
    assertThat(status(prp(host.io(NvmOpcode.READ, -1L, 8), DATA, 0))).isEqualTo(StatusCode.LBA_OUT_OF_RANGE);
    assertThat(status(prp(host.io(NvmOpcode.WRITE, Long.MIN_VALUE, 8), DATA, 0))).isEqualTo(StatusCode.LBA_OUT_OF_RANGE);
  }

  @Test
  void namespaceThatDoesNotExistIsRefused() {
    for (int nsid : new int[] {0, 2, -1}) {
      MemorySegment sqe = prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0);
      SqeLayout.NSID.set(sqe, 0, nsid);
      assertThat(status(sqe)).isEqualTo(StatusCode.INVALID_NAMESPACE_OR_FORMAT);
    }
    assertThat(status(host.command(NvmOpcode.FLUSH, SqeLayout.NSID_ALL))).isZero();
    assertThat(status(host.command(NvmOpcode.FLUSH, 1))).isZero();
  }

  @Test
  void transferLongerThanMdtsIsRefused() {
    restart(NvmeModelConfig.DEFAULT.with(c -> c.mdts(1).namespaces(NamespaceConfig.ofMemory(BLOCKS, 512))));
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 16), DATA, DATA + PAGE))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 17), DATA, DATA + PAGE))).isEqualTo(StatusCode.INVALID_FIELD);
  }

  @Test
  void addressThatTheBusRefusesIsDataTransferError() {
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 8), 0x5000, 0))).isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
    assertThat(status(prp(host.io(NvmOpcode.WRITE, 0, 16), DATA, 0x5000))).isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 64), DATA, 0x5000))).isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
  }

  @Test
  void compareFindsTheFirstDifference() {
    byte[] written = fill(DATA, PAGE, 5);
    assertThat(status(prp(host.io(NvmOpcode.WRITE, 100, 8), DATA, 0))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.COMPARE, 100, 8), DATA, 0))).isZero();
    host.at(DATA, PAGE).set(ValueLayout.JAVA_BYTE, PAGE - 1, (byte) (written[PAGE - 1] + 1));
    assertThat(status(prp(host.io(NvmOpcode.COMPARE, 100, 8), DATA, 0))).isEqualTo(StatusCode.COMPARE_FAILURE);
  }

  @Test
  void zeroedAndTrimmedBlocksReadAsZeroes() {
    fill(DATA, PAGE, 6);
    assertThat(status(prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.WRITE, 8, 8), DATA, 0))).isZero();
    assertThat(status(host.io(NvmOpcode.WRITE_ZEROES, 2, 2))).isZero();
    MemorySegment trim = prp(host.command(NvmOpcode.DATASET_MANAGEMENT, 1), DATA + 2 * PAGE, 0);
    DsmCommandLayout.NUMBER_OF_RANGES.set(trim, 0, 1);
    DsmCommandLayout.ATTRIBUTES.set(trim, 0, DsmCommandLayout.DEALLOCATE.with(0, 1));
    MemorySegment ranges = host.at(DATA + 2 * PAGE, PAGE).fill((byte) 0);
    DsmRangeLayout.SLBA.set(ranges, 0, 8);
    DsmRangeLayout.NLB.set(ranges, 0, 3);
    DsmRangeLayout.SLBA.set(ranges, 16, 15);
    DsmRangeLayout.NLB.set(ranges, 16, 1);
    assertThat(status(trim)).isZero();
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 16), DATA + 4 * PAGE, DATA + 5 * PAGE))).isZero();
    for (int block = 0; block < 16; block++) {
      boolean zero = block == 2 || block == 3 || block == 8 || block == 9 || block == 10 || block == 15;
      byte[] expected = zero ? new byte[512] : bytes(DATA + block % 8 * 512, 512);
      assertThat(bytes(DATA + 4 * PAGE + block * 512L, 512)).as("block %d", block).isEqualTo(expected);
    }
    DsmRangeLayout.SLBA.set(ranges, 16, BLOCKS);
    assertThat(status(trim)).isEqualTo(StatusCode.LBA_OUT_OF_RANGE);
  }

  @Test
  void trimKeepsToItsLimits() {
    restart(NvmeModelConfig.DEFAULT.with(c -> c.dsmRanges(2).dsmRangeBlocks(8)));
    MemorySegment trim = prp(host.command(NvmOpcode.DATASET_MANAGEMENT, 1), DATA, 0);
    MemorySegment ranges = host.at(DATA, PAGE).fill((byte) 0);
    DsmCommandLayout.NUMBER_OF_RANGES.set(trim, 0, 2);
    assertThat(status(trim)).isEqualTo(StatusCode.COMMAND_SIZE_LIMIT_EXCEEDED);
    DsmCommandLayout.NUMBER_OF_RANGES.set(trim, 0, 0);
    DsmRangeLayout.NLB.set(ranges, 0, 9);
    assertThat(status(trim)).isEqualTo(StatusCode.COMMAND_SIZE_LIMIT_EXCEEDED);
    DsmRangeLayout.NLB.set(ranges, 0, 8);
    assertThat(status(trim)).isZero();
  }

  @Test
  void blockMadeUnreadableFailsUntilItIsWritten() {
    assertThat(status(host.io(NvmOpcode.WRITE_UNCORRECTABLE, 5, 1))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0))).isEqualTo(StatusCode.UNRECOVERED_READ_ERROR);
    assertThat(status(prp(host.io(NvmOpcode.COMPARE, 5, 1), DATA, 0))).isEqualTo(StatusCode.UNRECOVERED_READ_ERROR);
    assertThat(status(host.io(NvmOpcode.VERIFY, 5, 1))).isEqualTo(StatusCode.UNRECOVERED_READ_ERROR);
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 5), DATA, 0))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.WRITE, 5, 1), DATA, 0))).isZero();
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0))).isZero();
  }

  @Test
  void optionalCommandsAreRefusedWhereTheyAreMissing() {
    restart(NvmeModelConfig.DEFAULT.with(c -> c.commands(Set.of(OptionalCommand.VERIFY))));
    assertThat(status(host.io(NvmOpcode.VERIFY, 0, 1))).isZero();
    for (int opcode :
        new int[] {NvmOpcode.COMPARE, NvmOpcode.WRITE_UNCORRECTABLE, NvmOpcode.DATASET_MANAGEMENT, NvmOpcode.WRITE_ZEROES, 0x7f}) {
      assertThat(status(prp(host.io(opcode, 0, 1), DATA, 0))).isEqualTo(StatusCode.INVALID_OPCODE);
    }
  }

  @Test
  void limitsOfCommandsWithoutDataAreTheirOwn() {
    restart(NvmeModelConfig.DEFAULT.with(c -> c.mdts(0).writeZeroesLimit(1).verifyLimit(2)));
    assertThat(status(host.io(NvmOpcode.WRITE_ZEROES, 0, 16))).isZero();
    assertThat(status(host.io(NvmOpcode.WRITE_ZEROES, 0, 17))).isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(status(host.io(NvmOpcode.VERIFY, 0, 32))).isZero();
    assertThat(status(host.io(NvmOpcode.VERIFY, 0, 33))).isEqualTo(StatusCode.INVALID_FIELD);
  }

  @Test
  void readOnlyNamespaceKeepsItsBlocks() {
    restart(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(BLOCKS, 512).asReadOnly())));
    for (int opcode :
        new int[] {NvmOpcode.WRITE, NvmOpcode.WRITE_ZEROES, NvmOpcode.DATASET_MANAGEMENT, NvmOpcode.WRITE_UNCORRECTABLE}) {
      assertThat(status(prp(host.io(opcode, 0, 1), DATA, 0))).isEqualTo(StatusCode.NAMESPACE_WRITE_PROTECTED);
    }
    assertThat(status(prp(host.io(NvmOpcode.READ, 0, 1), DATA, 0))).isZero();
  }

  @Test
  void warmCommandPathAllocatesNothing() {
    MemorySegment read = prp(host.io(NvmOpcode.READ, 8, 8), DATA, 0);
    MemorySegment write = prp(host.io(NvmOpcode.WRITE, 8, 16), DATA, DATA + PAGE);
    Runnable pair =
        () -> {
          host.put(queue, read);
          host.put(queue, write);
          host.ringTail(queue);
          host.run();
          queue.head = (queue.head + 2) % queue.entries;
          host.ringHead(queue);
          host.interrupts.clear();
        };
    assertThat(Allocation.leastBytesOf(pair)).isZero();
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void randomHistoryAgreesWithAnArray() {
    RandomGenerator random = Seeds.random();
    byte[] oracle = new byte[BLOCKS * 512];
    for (int round = 0; round < 20_000; round++) {
      int lba = random.nextInt(BLOCKS - 16);
      int blocks = random.nextInt(1, 17);
      int length = blocks * 512;
      long data = DATA + 4L * random.nextInt(1024);
      long second = length > PAGE - (data & 4095) ? DATA + 0x4_0000 : 0;
      if (length - (PAGE - (data & 4095)) > PAGE) {
        continue;
      }
      int first = (int) Math.min(length, PAGE - (data & 4095));
      switch (random.nextInt(4)) {
        case 0 -> {
          byte[] written = fill(data, first, round);
          System.arraycopy(written, 0, oracle, lba * 512, first);
          if (second != 0) {
            written = fill(second, length - first, ~round);
            System.arraycopy(written, 0, oracle, lba * 512 + first, length - first);
          }
          assertThat(status(prp(host.io(NvmOpcode.WRITE, lba, blocks), data, second))).as(Seeds.at(round)).isZero();
        }
        case 1 -> {
          assertThat(status(host.io(NvmOpcode.WRITE_ZEROES, lba, blocks))).as(Seeds.at(round)).isZero();
          Arrays.fill(oracle, lba * 512, (lba + blocks) * 512, (byte) 0);
        }
        default -> {
          assertThat(status(prp(host.io(NvmOpcode.READ, lba, blocks), data, second))).as(Seeds.at(round)).isZero();
          assertThat(bytes(data, first))
              .as(Seeds.at(round))
              .isEqualTo(Arrays.copyOfRange(oracle, lba * 512, lba * 512 + first));
          if (second != 0) {
            assertThat(bytes(second, length - first))
                .as(Seeds.at(round))
                .isEqualTo(Arrays.copyOfRange(oracle, lba * 512 + first, lba * 512 + length));
          }
        }
      }
    }
    assertThat(host.model.violations()).isEmpty();
  }
}
