package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.BASE;
import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.PAGE;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.CmbLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.device.nvme.wire.U64;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryBufferTest {
  private static final long BUS = 0xe000_0000L;
  private static final long SIZE = 64 * PAGE;
  private static final long OFFSET = 3 * PAGE;

  private TinyHost host = start(EnumSet.allOf(CmbUse.class));

  private static TinyHost start(Set<CmbUse> uses) {
    TinyHost host =
        new TinyHost(NvmeModelConfig.DEFAULT.with(c -> c.cmbBar(4).cmbOffset(OFFSET).cmbSize(SIZE).cmbUses(uses)));
    host.write64(RegisterLayout.CMBMSC.offset(), BUS | 3);
    host.enable();
    return host;
  }

  @AfterEach
  void close() {
    host.close();
  }

  private MemorySegment buffer() {
    return host.model.memory(4).asSlice(OFFSET, SIZE);
  }

  @Test
  void registersTellWhereTheBufferIsOnceTheyAreEnabled() {
    host.close();
    host = new TinyHost(host.config);
    assertThat(host.read32(RegisterLayout.CMBSZ.offset())).isZero();
    host.write64(RegisterLayout.CMBMSC.offset(), 1);
    int loc = host.read32(RegisterLayout.CMBLOC.offset());
    int size = host.read32(RegisterLayout.CMBSZ.offset());
    assertThat(CmbLayout.BIR.get(loc)).isEqualTo(4);
    assertThat(CmbLayout.offset(loc, size)).isEqualTo(OFFSET);
    assertThat(CmbLayout.size(size)).isEqualTo(SIZE);
    assertThat(size & 0x1f).isEqualTo(0x1f);
    assertThat(loc & 0x1f8).as("CDPMLS, CDPCILS and CDMMMS").isEqualTo(0xe0);
    assertThat(host.model.bars().get(4).length()).isEqualTo(128 * PAGE);
    assertThatThrownBy(() -> host.model.memory(3)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void queuesListsAndDataMayLieInTheBuffer() {
    Queue queue = new Queue(1, 16, BUS, BUS + PAGE);
    assertThat(host.admin(host.createCompletion(queue, 3, 1)).status()).isZero();
    assertThat(host.admin(host.createSubmission(queue, 1)).status()).isZero();
    buffer().asSlice(PAGE, PAGE).fill((byte) 0);
    MemorySegment sqe = prp(host.io(NvmOpcode.READ, 0, 24), BUS + 8 * PAGE, BUS + 2 * PAGE);
    new U64(0).set(buffer(), 2 * PAGE, BUS + 9 * PAGE);
    new U64(8).set(buffer(), 2 * PAGE, DATA);
    buffer().asSlice(8 * PAGE, 2 * PAGE).fill((byte) 1);
    host.at(DATA, PAGE).fill((byte) 1);
    MemorySegment.copy(sqe, 0, buffer(), 0, SqeLayout.SIZE);
    host.write32(DoorbellLayout.submissionTail(1, 0), 1);
    host.run();
    assertThat(new U64(8).get(buffer(), PAGE) >>> 48).as("status 0, phase 1").isEqualTo(1);
    assertThat(buffer().asSlice(8 * PAGE, 2 * PAGE).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(host.at(DATA, PAGE).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void usesThatAreNotOfferedAreRefused() {
    for (CmbUse missing : CmbUse.values()) {
      host.close();
      host = start(EnumSet.complementOf(EnumSet.of(missing)));
      int expected = StatusCode.INVALID_USE_OF_CMB;
      Queue inBuffer = new Queue(2, 16, BUS, BUS + PAGE);
      int completions = host.admin(host.createCompletion(inBuffer, 3, 1)).code();
      assertThat(completions).isEqualTo(missing == CmbUse.COMPLETION_QUEUES ? expected : 0);
      if (completions == 0) {
        int submissions = host.admin(host.createSubmission(inBuffer, 2)).code();
        assertThat(submissions).isEqualTo(missing == CmbUse.SUBMISSION_QUEUES ? expected : 0);
      }
      Queue queue = host.createQueue(1, 16);
      new U64(0).set(buffer(), 2 * PAGE, DATA);
      new U64(8).set(buffer(), 2 * PAGE, DATA);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 24), DATA, BUS + 2 * PAGE)).code())
          .as("a list here of a command elsewhere, without " + missing)
          .isEqualTo(missing == CmbUse.LISTS || missing == CmbUse.LISTS_OF_ANY_COMMAND ? expected : 0);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 16), BUS + 4 * PAGE, DATA)).code())
          .as("data here and elsewhere, without " + missing)
          .isEqualTo(missing == CmbUse.READ_DATA || missing == CmbUse.MIXED_DATA ? expected : 0);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 16), DATA, DATA + PAGE)).code()).as("the next command").isZero();
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 8), BUS + 4 * PAGE, 0)).code())
          .isEqualTo(missing == CmbUse.READ_DATA ? expected : 0);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), BUS + 4 * PAGE, 0)).code())
          .isEqualTo(missing == CmbUse.WRITE_DATA ? expected : 0);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void listThatGoesOnElsewhereIsRefusedUnlessListsMayBeMixed(boolean mixed) {
    host.close();
    host = start(mixed ? EnumSet.allOf(CmbUse.class) : EnumSet.complementOf(EnumSet.of(CmbUse.MIXED_LISTS)));
    Queue queue = host.createQueue(1, 16);
    long list = 3 * PAGE - 16;
    new U64(0).set(buffer(), list, DATA + PAGE);
    new U64(8).set(buffer(), list, DATA + 4 * PAGE);
    new U64(0).set(host.at(DATA + 4 * PAGE, PAGE), 0, DATA + 2 * PAGE);
    new U64(8).set(host.at(DATA + 4 * PAGE, PAGE), 0, DATA + 3 * PAGE);
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 32), DATA, BUS + list)).code()).isEqualTo(mixed ? 0 : StatusCode.INVALID_USE_OF_CMB);
  }

  @Test
  void commandInTheBufferMayHaveItsListsThereWhereOthersMayNot() {
    host.close();
    host = start(EnumSet.of(CmbUse.SUBMISSION_QUEUES, CmbUse.COMPLETION_QUEUES, CmbUse.LISTS));
    Queue queue = new Queue(1, 16, BUS, BUS + PAGE);
    assertThat(host.admin(host.createCompletion(queue, 3, 1)).status()).isZero();
    assertThat(host.admin(host.createSubmission(queue, 1)).status()).isZero();
    buffer().asSlice(PAGE, PAGE).fill((byte) 0);
    new U64(0).set(buffer(), 2 * PAGE, DATA + PAGE);
    new U64(8).set(buffer(), 2 * PAGE, DATA + 2 * PAGE);
    MemorySegment.copy(prp(host.io(NvmOpcode.READ, 0, 24), DATA, BUS + 2 * PAGE), 0, buffer(), 0, SqeLayout.SIZE);
    host.write32(DoorbellLayout.submissionTail(1, 0), 1);
    host.run();
    assertThat(new U64(8).get(buffer(), PAGE) >>> 48).as("status 0, phase 1").isEqualTo(1);
    host.write64(RegisterLayout.CMBMSC.offset(), BUS | 3);
    int location = host.read32(RegisterLayout.CMBLOC.offset());
    assertThat(location & 0x1f8).as("no mixing is offered").isZero();
  }

  @Test
  void rangesThatCrossTheEdgeAreRefused() {
    Queue queue = host.createQueue(1, 16);
    MemorySegment sqe = host.io(NvmOpcode.READ, 0, 16);
    SqeLayout.FLAGS.set(sqe, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL));
    for (long address : new long[] {BUS - PAGE, BUS + SIZE - PAGE}) {
      SqeLayout.PRP1.set(sqe, 0, address);
      SqeLayout.PRP2.set(sqe, 0, 2 * PAGE);
      assertThat(host.execute(queue, sqe).code()).isEqualTo(StatusCode.INVALID_USE_OF_CMB);
    }
    SqeLayout.PRP1.set(sqe, 0, BASE);
    assertThat(host.execute(queue, sqe).code()).isZero();
  }

  @Test
  void bufferIsNotClaimedUntilTheHostSaysWhere() {
    host.write64(RegisterLayout.CMBMSC.offset(), 1);
    Queue queue = host.createQueue(1, 16);
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 8), BUS, 0)).code())
        .isEqualTo(StatusCode.DATA_TRANSFER_ERROR);
  }
}
