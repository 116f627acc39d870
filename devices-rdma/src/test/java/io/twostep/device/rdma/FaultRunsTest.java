package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.ImplicitUmem;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How much one page fault brings in. */
class FaultRunsTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final Connection FOUR_PACKETS_A_PAGE = new Connection(1024, 8, 7, 7, 1, 4);
  private static final int PAGE = 4096;
  private static final int PAGES = 64;
  private static final int SIZE = PAGES * PAGE;

  /** A process of whose range nothing is in memory, known to its host's adapter as a range or as a whole. */
  private static final class Side implements AutoCloseable {
    final Host host;
    final FramePool frames;
    final ProcessMemory process;
    final MemoryKey key;
    final long va;

    Side(Host host, boolean whole, long va) {
      this.host = host;
      this.va = va;
      frames = new FramePool(host.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
      process = new ProcessMemory("p", frames);
      process.mapAt(va, SIZE, true);
      OnDemandSource source = new OnDemandSource(host.mapper(), process, host.machine.timers());
      key = whole ? host.hca().registerAll(host.domain(), source, ALL) : host.hca().registerOnDemand(host.domain(), source, va, SIZE, ALL);
    }

    long linkedPages() {
      return key instanceof OnDemandMemory range ? range.umem().linkedPages() : ((ImplicitMemory) key).umem().linkedPages();
    }

    void swapOut() {
      process.swapOut(va, SIZE);
      assertThat(linkedPages()).isZero();
    }

    byte[] random(int salt) {
      byte[] bytes = new byte[SIZE];
      new SplittableRandom(Seeds.SEED + salt).nextBytes(bytes);
      process.write(va, MemorySegment.ofArray(bytes), 0, SIZE);
      return bytes;
    }

    byte[] bytes(int from, int length) {
      byte[] bytes = new byte[length];
      process.read(va + from, MemorySegment.ofArray(bytes), 0, length);
      return bytes;
    }

    @Override
    public void close() {
      key.close();
      process.close();
      frames.close();
    }
  }

  private static void awaitSuccess(TwoHosts hosts, int count) {
    hosts.await(hosts.near, count);
    assertThat(hosts.near.done).hasSize(count).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void oneFaultBringsInAllThatTheRequestStillNeedsWithOneChangeOfTheKey(boolean whole) {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Side near = new Side(hosts.near, whole, 0x10_0000_0000L);
        Side far = new Side(hosts.far, false, 0x20_0000_0000L)) {
      hosts.connect(FOUR_PACKETS_A_PAGE);
      byte[] sent = near.random(1);
      near.swapOut();
      long changes = hosts.far.hca().updates().posted();
      hosts.near.pair().postWrite(1, near.key, near.va + 5, 30 * PAGE, far.key.key(), far.va + 100);
      awaitSuccess(hosts, 1);
      assertThat(hosts.near.faults).as("gathered").isEqualTo(1);
      assertThat(hosts.far.faults).as("written").isEqualTo(1);
      assertThat(hosts.far.hca().updates().posted() - changes).isEqualTo(1);
      assertThat(far.linkedPages()).as("no page more than the request touches").isEqualTo(31);
      assertThat(near.linkedPages()).isEqualTo(31);
      near.swapOut();
      far.swapOut();
      hosts.near.pair().postRead(2, near.key, near.va, 40 * PAGE, far.key.key(), far.va);
      awaitSuccess(hosts, 2);
      assertThat(hosts.near.faults).as("scattered").isEqualTo(2);
      assertThat(hosts.far.faults).as("read").isEqualTo(2);
      assertThat(far.bytes(100, 30 * PAGE)).isEqualTo(Arrays.copyOfRange(sent, 5, 5 + 30 * PAGE));
      assertThat(near.bytes(0, 40 * PAGE)).isEqualTo(far.bytes(0, 40 * PAGE));
    }
  }

  @ParameterizedTest
  @CsvSource({"16384, 8", "0, 32", "12288, 11"})
  void settingBoundsWhatOneFaultBringsIn(long faultBytes, int faults) {
    HcaConfig config = new HcaConfig(64, 60_000_000_000L, 64 << 10, 8, 60_000_000_000L, faultBytes);
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, config);
        Side near = new Side(hosts.near, false, 0x10_0000_0000L);
        Side far = new Side(hosts.far, true, 0x20_0000_0000L)) {
      hosts.connect(FOUR_PACKETS_A_PAGE);
      hosts.near.pair().postWrite(1, near.key, near.va, 32 * PAGE, far.key.key(), far.va);
      awaitSuccess(hosts, 1);
      assertThat(hosts.near.faults).isEqualTo(faults);
      assertThat(hosts.far.faults).isEqualTo(faults);
    }
  }

  @Test
  void requestThatReachesIntoNothingGetsWhatCanBeHadBeforeItFailsThere() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Side near = new Side(hosts.near, false, 0x10_0000_0000L);
        Side far = new Side(hosts.far, true, 0x20_0000_0000L)) {
      hosts.connect(FOUR_PACKETS_A_PAGE);
      byte[] sent = near.random(3);
      far.process.unmap(far.va + 40L * PAGE, 24 * PAGE);
      hosts.near.pair().postWrite(1, near.key, near.va, SIZE, far.key.key(), far.va);
      hosts.await(hosts.near, 1);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
      assertThat(hosts.far.faults).as("a half of what is left each time, then the page that is not there").isEqualTo(3);
      assertThat(far.bytes(0, 40 * PAGE)).isEqualTo(Arrays.copyOf(sent, 40 * PAGE));
    }
  }

  @Test
  void runGoesAcrossPiecesOfAWholeProcessAndEndsWithTheSegmentsOfAKeyOfPieces() {
    long across = 3 * ImplicitUmem.PIECE - 20 * PAGE;
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Side near = new Side(hosts.near, false, 0x10_0000_0000L);
        Side far = new Side(hosts.far, true, across)) {
      hosts.connect(FOUR_PACKETS_A_PAGE);
      DataSegments two = new DataSegments().add(near.key, near.va, 8 * PAGE).add(near.key, near.va + 32 * PAGE, 32 * PAGE);
      try (MemoryKey pieces = hosts.near.hca().registerPieces(hosts.near.domain(), 0x5000_0000L, two, ALL)) {
        hosts.near.pair().postWrite(1, pieces, 0x5000_0000L, 40 * PAGE, far.key.key(), far.va);
        awaitSuccess(hosts, 1);
        assertThat(hosts.near.faults).as("one for each piece").isEqualTo(2);
        assertThat(near.linkedPages()).isEqualTo(40);
        assertThat(hosts.far.faults).isEqualTo(1);
        assertThat(((ImplicitMemory) far.key).umem().pieces()).isEqualTo(2);
      }
    }
  }

  @Test
  void prefetchedPagesNeverFaultAndAdviceSaysHowTheyAreLinked() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Side near = new Side(hosts.near, false, 0x10_0000_0000L);
        Side far = new Side(hosts.far, true, 0x20_0000_0000L)) {
      hosts.connect(FOUR_PACKETS_A_PAGE);
      byte[] sent = near.random(4);
      Hca hca = hosts.far.hca();
      DataSegments two = new DataSegments().add(far.key, far.va + PAGE, 10 * PAGE).add(far.key, far.va + 20 * PAGE + 1, PAGE);
      hca.prefetch(hosts.far.domain(), FaultMode.SNAPSHOT, two);
      assertThat(far.linkedPages()).as("nothing is in memory").isZero();
      hca.prefetch(hosts.far.domain(), FaultMode.READ, two);
      assertThat(far.linkedPages()).isEqualTo(12);
      hosts.near.pair().postRead(1, near.key, near.va, 10 * PAGE, far.key.key(), far.va + PAGE);
      awaitSuccess(hosts, 1);
      assertThat(hosts.far.faults).isZero();
      assertThat(near.bytes(0, 10 * PAGE)).containsOnly(0);
      hosts.near.pair().postWrite(2, near.key, near.va + 20 * PAGE, 100, far.key.key(), far.va + PAGE);
      awaitSuccess(hosts, 2);
      assertThat(hosts.far.faults).as("the zero page is linked for reading").isEqualTo(1);
      hca.prefetch(hosts.far.domain(), FaultMode.WRITE, two);
      hosts.near.pair().postWrite(3, near.key, near.va + 30 * PAGE, 9 * PAGE, far.key.key(), far.va + 2 * PAGE);
      awaitSuccess(hosts, 3);
      assertThat(hosts.far.faults).isEqualTo(1);
      assertThat(far.bytes(PAGE, 100)).isEqualTo(Arrays.copyOfRange(sent, 20 * PAGE, 20 * PAGE + 100));
      assertThat(far.bytes(2 * PAGE, 9 * PAGE)).isEqualTo(Arrays.copyOfRange(sent, 30 * PAGE, 39 * PAGE));
    }
  }

  @Test
  void prefetchOfWhatTheKeyDoesNotGiveIsRefused() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        ProtectionDomain other = hosts.near.hca().newDomain();
        Side side = new Side(hosts.near, false, 0x10_0000_0000L)) {
      Hca hca = hosts.near.hca();
      ProtectionDomain own = hosts.near.domain();
      OnDemandSource source = new OnDemandSource(hosts.near.mapper(), side.process, hosts.near.machine.timers());
      MemoryKey readable = hca.registerOnDemand(own, source, side.va, SIZE, AccessFlags.REMOTE_READ);
      MemoryKey pinned = hosts.near.register(hosts.near.memory(PAGE), 0x5000_0000L, ALL);
      DataSegments good = new DataSegments().add(readable, side.va, PAGE);
      DataSegments mixed = new DataSegments().add(readable, side.va, PAGE).add(pinned, 0x5000_0000L, PAGE);
      assertThatIllegalArgumentException().isThrownBy(() -> hca.prefetch(own, FaultMode.READ, mixed)).withMessageContaining("no on-demand memory");
      assertThatIllegalArgumentException().isThrownBy(() -> hca.prefetch(other, FaultMode.READ, good)).withMessageContaining("is of domain");
      DataSegments beyond = new DataSegments().add(readable, side.va + SIZE - PAGE, 2 * PAGE);
      assertThatIllegalArgumentException().isThrownBy(() -> hca.prefetch(own, FaultMode.READ, beyond)).withMessageContaining("not within the region");
      assertThatExceptionOfType(PageFaultException.class)
          .isThrownBy(() -> hca.prefetch(own, FaultMode.WRITE, good))
          .satisfies(e -> assertThat(e.kind()).isEqualTo(PageFaultException.Kind.READ_ONLY));
      assertThat(((OnDemandMemory) readable).umem().linkedPages()).isZero();
      readable.close();
      assertThatIllegalArgumentException().isThrownBy(() -> hca.prefetch(own, FaultMode.READ, good)).withMessageContaining("no on-demand memory");
    }
  }
}
