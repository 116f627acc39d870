package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueRingsTest {
  private final List<Integer> rung = new ArrayList<>();
  private final Doorbell doorbell = new Doorbell(new RecordingMmio(rung::add), 0x1008);

  @Test
  void submissionsAreRungInBatches() {
    SubmissionQueue queue = new SubmissionQueue(Arena.ofAuto().allocate(8L * SqeLayout.SIZE, 64), 8, doorbell);
    queue.advance();
    queue.advance();
    assertThat(rung).isEmpty();
    queue.ring();
    queue.ring();
    assertThat(rung).containsExactly(2);
    assertThat(queue.slot()).isEqualTo(2L * SqeLayout.SIZE);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void tailNeverMeetsTheLastValueRungUnseen(int depth) {
    SubmissionQueue queue = new SubmissionQueue(Arena.ofAuto().allocate((long) depth * SqeLayout.SIZE, 64), depth, doorbell);
    for (int i = 1; i <= 5 * depth; i++) {
      queue.advance();
      int last = rung.isEmpty() ? 0 : rung.getLast();
      assertThat((i + 1) % depth).as("the tail after one more entry").isNotEqualTo(last);
    }
  }

  @Test
  void entryInTheControllerIsWholeBeforeItsDoorbellRings() {
    MemorySegment remote = Arena.ofAuto().allocate(4L * SqeLayout.SIZE, 64);
    List<Integer> seen = new ArrayList<>();
    RecordingMmio bar =
        new RecordingMmio(
            tail -> {
              long entry = (tail + 3) % 4 * (long) SqeLayout.SIZE;
              seen.add(SqeLayout.COMMAND_ID.get(remote, entry));
              assertThat(SqeLayout.CDW15.get(remote, entry)).as("last word").isEqualTo(SqeLayout.COMMAND_ID.get(remote, entry));
            });
    SubmissionQueue queue = SubmissionQueue.inController(remote, 4, new Doorbell(bar, 0x1008));
    for (int id = 1; id <= 9; id++) {
      SqeLayout.COMMAND_ID.set(queue.entries(), queue.slot(), id);
      SqeLayout.CDW15.set(queue.entries(), queue.slot(), id);
      long entry = (id - 1) % 4 * (long) SqeLayout.SIZE;
      assertThat(SqeLayout.COMMAND_ID.get(remote, entry)).as("nothing is there before it is appended").isNotEqualTo(id);
      queue.advance();
      assertThat(SqeLayout.COMMAND_ID.get(remote, entry)).isEqualTo(id);
      queue.ring();
    }
    assertThat(seen).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9);
    queue.reset();
    assertThat(remote.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void completionIsSeenOncePerRoundByItsPhase() {
    MemorySegment entries = Arena.ofAuto().allocate(4L * CqeLayout.SIZE, 64);
    CompletionQueue queue = new CompletionQueue(entries, 4, doorbell);
    for (int round = 0; round < 6; round++) {
      int phase = round % 2 == 0 ? 1 : 0;
      for (int i = 0; i < 4; i++) {
        assertThat(queue.peek()).as("round %d entry %d before it is written", round, i).isEqualTo(-1);
        CqeLayout.STATUS_PHASE.set(entries, (long) i * CqeLayout.SIZE, 0x4004 | phase);
        assertThat(queue.peek()).isEqualTo(0x4004 | phase);
        assertThat(queue.slot()).isEqualTo((long) i * CqeLayout.SIZE);
        queue.advance();
      }
    }
    queue.ring();
    assertThat(rung).as("nothing moved on the whole").isEmpty();
  }

  @Test
  void shadowSparesTheRegisterUntilTheEventIndexIsPassed() {
    MemorySegment shadow = Arena.ofAuto().allocate(64, 64);
    MemorySegment events = Arena.ofAuto().allocate(64, 64);
    doorbell.useShadow(shadow, events, 16);
    ShadowDoorbellLayout.WORD.set(events, 16, 5);
    doorbell.ring(0, 3);
    assertThat(rung).isEmpty();
    assertThat(ShadowDoorbellLayout.WORD.get(shadow, 16)).isEqualTo(3);
    doorbell.ring(3, 6);
    assertThat(rung).containsExactly(6);
    doorbell.ring(6, 7);
    assertThat(rung).containsExactly(6);
    doorbell.useRegister();
    doorbell.ring(7, 0);
    assertThat(rung).containsExactly(6, 0);
    assertThat(doorbell.writes()).isEqualTo(2);
  }

  /** Registers that only remember what the doorbell was told. */
  private record RecordingMmio(IntConsumer writes) implements Mmio {
    @Override
    public long length() {
      return 0x2000;
    }

    @Override
    public int read32(long offset) {
      throw new AssertionError("a doorbell is not read");
    }

    @Override
    public long read64(long offset) {
      throw new AssertionError("a doorbell is not read");
    }

    @Override
    public void write32(long offset, int value) {
      assertThat(offset).isEqualTo(0x1008);
      writes.accept(value);
    }

    @Override
    public void write64(long offset, long value) {
      throw new AssertionError("a doorbell has 32 bits");
    }
  }
}
