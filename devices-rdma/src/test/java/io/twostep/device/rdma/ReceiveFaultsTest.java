package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How much of a receive page faults bring in: what its message needs, however long the receive is. */
class ReceiveFaultsTest {
  private static final Connection FOUR_PACKETS_A_PAGE = new Connection(1024, 8, 7, 7, 1, 4);
  private static final int PAGE = 4096;
  private static final int PAGES = 256;
  private static final int SIZE = PAGES * PAGE;
  private static final long FAR = 0x20_0000_0000L;
  private static final long NEAR = 0x10_0000_0000L;
  private static final byte UNTOUCHED = 0x5a;

  /** Two hosts: the near one has messages in pinned memory, the far one a process of whose range nothing is in memory. */
  private static final class Rig implements AutoCloseable {
    final TwoHosts hosts;
    final byte[] sent = new byte[SIZE];
    final MemoryKey source;
    final FramePool frames;
    final ProcessMemory process;
    final MemoryKey target;

    Rig(WireFaults faults, boolean whole) {
      hosts = new TwoHosts(faults, 4);
      new SplittableRandom(Seeds.SEED).nextBytes(sent);
      MemoryBlock block = hosts.near.memory(SIZE);
      MemorySegment.copy(MemorySegment.ofArray(sent), 0, block.segment(), 0, SIZE);
      source = hosts.near.register(block, NEAR, AccessFlags.LOCAL_WRITE);
      TwoHosts.Host far = hosts.far;
      frames = new FramePool(far.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
      process = new ProcessMemory("p", frames);
      process.mapAt(FAR, SIZE, true);
      process.write(FAR, MemorySegment.ofArray(new byte[SIZE]).fill(UNTOUCHED), 0, SIZE);
      process.swapOut(FAR, SIZE);
      OnDemandSource pages = new OnDemandSource(far.mapper(), process, far.machine.timers());
      int access = AccessFlags.LOCAL_WRITE;
      target = whole ? far.hca().registerAll(far.domain(), pages, access) : far.hca().registerOnDemand(far.domain(), pages, FAR, SIZE, access);
      hosts.connect(FOUR_PACKETS_A_PAGE);
    }

    /** Post a receive of all of the range from byte {@code offset} on. */
    void receive(long id, int offset) {
      assertThat(hosts.far.pair().postReceive(id, target, FAR + offset, SIZE - offset)).isTrue();
    }

    void send(long id, int from, int length) {
      assertThat(hosts.near.pair().postSend(id, source, NEAR + from, length)).isTrue();
    }

    /** Let everything go on until both ends have seen as many completions in all, and return the last of the far one. */
    Done await(int count) {
      hosts.await(hosts.near, count);
      hosts.await(hosts.far, count);
      assertThat(hosts.near.done).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
      assertThat(hosts.far.done).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
      return hosts.far.done.getLast();
    }

    long linkedPages() {
      return target instanceof OnDemandMemory range ? range.umem().linkedPages() : ((ImplicitMemory) target).umem().linkedPages();
    }

    byte[] bytes(int from, int length) {
      byte[] bytes = new byte[length];
      process.read(FAR + from, MemorySegment.ofArray(bytes), 0, length);
      return bytes;
    }

    /** Check that the range holds {@code length} sent bytes from {@code at} on, and nothing else that was written. */
    void holds(int at, int from, int length) {
      byte[] expected = new byte[SIZE];
      Arrays.fill(expected, UNTOUCHED);
      System.arraycopy(sent, from, expected, at, length);
      assertThat(bytes(0, SIZE)).isEqualTo(expected);
    }

    @Override
    public void close() {
      target.close();
      process.close();
      frames.close();
      hosts.close();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shortMessageBringsInOnePageOfALargeReceive(boolean whole) {
    try (Rig rig = new Rig(WireFaults.NONE, whole)) {
      rig.receive(7, 5 * PAGE + 9);
      rig.send(1, 33, 100);
      assertThat(rig.await(1)).extracting(Done::id, Done::length).containsExactly(7L, 100L);
      assertThat(rig.hosts.far.faults).isEqualTo(1);
      assertThat(rig.linkedPages()).isEqualTo(1);
      rig.holds(5 * PAGE + 9, 33, 100);
    }
  }

  @ParameterizedTest
  @CsvSource({"4096, 0, 1, 1", "4097, 0, 2, 1", "16384, 100, 5, 1", "65536, 4095, 17, 1", "200000, 1, 49, 3", "1000000, 7, 245, 16"})
  void messageOfManyPacketsBringsInItsPagesAndNoOthersWithFewFaults(int length, int offset, int pages, int faults) {
    try (Rig rig = new Rig(WireFaults.NONE, false)) {
      long changes = rig.hosts.far.hca().updates().posted();
      rig.receive(7, offset);
      rig.send(1, 3, length);
      assertThat(rig.await(1).length()).isEqualTo(length);
      assertThat(rig.linkedPages()).isEqualTo(pages);
      assertThat(rig.hosts.far.faults).as("at the most one for the packets that the adapter takes from the wire at once, 64").isEqualTo(faults);
      assertThat(rig.hosts.far.hca().updates().posted() - changes).as("one change of the key for each").isEqualTo(faults);
      rig.holds(offset, 3, length);
    }
  }

  @Test
  void everyMessageBringsInWhatItNeedsItselfThoughOthersComeBehindIt() {
    try (Rig rig = new Rig(WireFaults.NONE, false)) {
      rig.receive(7, 0);
      rig.receive(8, 100 * PAGE);
      rig.send(1, 0, 3 * PAGE);
      rig.send(2, 3 * PAGE, 2 * PAGE);
      assertThat(rig.await(2)).extracting(Done::id, Done::length).containsExactly(8L, 2L * PAGE);
      assertThat(rig.hosts.far.faults).isEqualTo(2);
      assertThat(rig.linkedPages()).isEqualTo(5);
      assertThat(rig.bytes(0, 3 * PAGE)).isEqualTo(Arrays.copyOf(rig.sent, 3 * PAGE));
      assertThat(rig.bytes(100 * PAGE, 2 * PAGE)).isEqualTo(Arrays.copyOfRange(rig.sent, 3 * PAGE, 5 * PAGE));
    }
  }

  @Test
  void receiveOfManySegmentsIsBroughtInUpToTheOneThatTheMessageEndsIn() {
    try (Rig rig = new Rig(WireFaults.NONE, false)) {
      DataSegments three =
          new DataSegments().add(rig.target, FAR + 10, 5 * PAGE).add(rig.target, FAR + 50 * PAGE, 20 * PAGE).add(rig.target, FAR + 100 * PAGE, 20 * PAGE);
      assertThat(rig.hosts.far.pair().postReceive(7, three)).isTrue();
      rig.send(1, 0, 9 * PAGE);
      assertThat(rig.await(1).length()).isEqualTo(9L * PAGE);
      assertThat(rig.hosts.far.faults).as("one for each segment that it reaches").isEqualTo(2);
      assertThat(rig.linkedPages()).isEqualTo(6 + 4);
      assertThat(rig.bytes(10, 5 * PAGE)).isEqualTo(Arrays.copyOf(rig.sent, 5 * PAGE));
      assertThat(rig.bytes(50 * PAGE, 4 * PAGE)).isEqualTo(Arrays.copyOfRange(rig.sent, 5 * PAGE, 9 * PAGE));
    }
  }

  @Test
  void messageThatWaitedForItsReceiveBringsInNoMoreThanOthers() {
    try (Rig rig = new Rig(WireFaults.NONE, false)) {
      rig.send(1, 0, 10 * PAGE);
      for (int round = 0; round < 100; round++) {
        rig.hosts.near.work();
        rig.hosts.far.work();
      }
      assertThat(rig.hosts.far.faults).as("nothing to bring in yet").isZero();
      rig.receive(7, PAGE);
      assertThat(rig.await(1).length()).isEqualTo(10L * PAGE);
      assertThat(rig.hosts.far.faults).isEqualTo(1);
      assertThat(rig.linkedPages()).isEqualTo(10);
      rig.holds(PAGE, 0, 10 * PAGE);
    }
  }

  @Test
  void wireThatMistreatsPacketsBringsInNoPageThatTheMessageDoesNotNeed() {
    try (Rig rig = new Rig(new WireFaults(0.05, 0.05, 0.05, 0.02, 0.02), true)) {
      rig.receive(7, 3);
      rig.send(1, 11, 40 * PAGE);
      assertThat(rig.await(1).length()).isEqualTo(40L * PAGE);
      assertThat(rig.hosts.far.faults).as("-Dtwostep.seed=" + Seeds.SEED).isBetween(1, 41);
      assertThat(rig.linkedPages()).as("-Dtwostep.seed=" + Seeds.SEED).isEqualTo(41);
      rig.holds(3, 11, 40 * PAGE);
    }
  }
}
