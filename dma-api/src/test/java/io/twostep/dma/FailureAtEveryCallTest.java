package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.MapFlags;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Every scenario on every fixture, with each call below the API failing once: whatever fails, nothing is left and nothing else changes. */
class FailureAtEveryCallTest {
  private static final long PAGE = 4096;

  private interface Scenario {
    void run(Bench bench);
  }

  private record Named(String name, Scenario scenario) {}

  private static final List<Named> SCENARIOS =
      List.of(
          new Named("map", FailureAtEveryCallTest::map),
          new Named("map a scattered segment", FailureAtEveryCallTest::mapScattered),
          new Named("map a foreign segment", FailureAtEveryCallTest::mapForeign),
          new Named("map a peer", FailureAtEveryCallTest::mapPeer),
          new Named("two steps", FailureAtEveryCallTest::twoSteps),
          new Named("two steps with a batch", FailureAtEveryCallTest::twoStepsBatched),
          new Named("transfer of one range", bench -> transfer(bench, bench.one())),
          new Named("transfer of pages", bench -> transfer(bench, bench.pages())),
          new Named("transfer with gaps", bench -> transfer(bench, bench.gapped())),
          new Named("transfer of bus peers", bench -> transferPeers(bench, bench.peers(bench.rig.bus))),
          new Named("transfer of bridge peers", bench -> transferPeers(bench, bench.peers(bench.rig.bridge))),
          new Named("transfer of local and bus", bench -> transferPeers(bench, bench.mixed(bench.rig.bus))),
          new Named("transfer of local and bridge", bench -> transferPeers(bench, bench.mixed(bench.rig.bridge))),
          new Named("transfer of everything", bench -> transferPeers(bench, bench.everything())),
          new Named("linear range of pages", bench -> linear(bench, bench.pages())),
          new Named("linear range of pieces", bench -> linear(bench, bench.gapped())),
          new Named("linear range of peers", bench -> linear(bench, bench.neighbours(bench.rig.bus))),
          new Named("linear range of memory and peers", bench -> linear(bench, bench.mixed(bench.rig.bridge))),
          new Named("imported buffer", FailureAtEveryCallTest::imported),
          new Named("collected transfer", FailureAtEveryCallTest::collected),
          new Named("window", FailureAtEveryCallTest::window),
          new Named("imported units", FailureAtEveryCallTest::importedUnits),
          new Named("coherent buffer", FailureAtEveryCallTest::coherent),
          new Named("pool", FailureAtEveryCallTest::pool),
          new Named("batch of everything", FailureAtEveryCallTest::batch));

  @TestFactory
  @Tag("breaks:never-mapped+torn-down-twice")
  Stream<DynamicTest> nothingIsLeftWhicheverCallFails() {
    List<DynamicTest> tests = new ArrayList<>();
    for (Rig.Kind kind : Rig.Kind.values()) {
      for (Named named : SCENARIOS) {
        tests.add(dynamicTest(kind + ": " + named.name(), () -> sweep(kind, named.scenario())));
      }
    }
    return tests.stream();
  }

  private static void sweep(Rig.Kind kind, Scenario scenario) {
    Bench bench = new Bench(kind);
    bench.runOnce(scenario);
    String before = bench.rig.accounts();
    boolean failed = true;
    for (int n = 0; failed; n++) {
      bench.rig.faults.failAt(n);
      try {
        bench.runOnce(scenario);
      } catch (DmaMappingException e) {
        assertThat(bench.rig.faults.hasFailed()).as("failed of itself: %s", e).isTrue();
      }
      failed = bench.rig.faults.hasFailed();
      bench.rig.faults.off();
      bench.tidy();
      assertThat(bench.rig.accounts()).as("after call %d failed", n).isEqualTo(before);
      bench.checkBystander();
    }
    bench.runOnce(scenario);
    bench.closeAll();
  }

  private static void map(Bench bench) {
    FakeBlock block = bench.contiguous;
    bench.attempt(() -> bench.mapping.map(block.phys(100), 9000, BIDIRECTIONAL, NONE));
    bench.expectDeviceSees(bench.mapping.dmaAddress(), block.phys(100), 9000);
    bench.mapping.unmap();
  }

  private static void mapScattered(Bench bench) {
    if (!bench.rig.kind.translates) {
      return;
    }
    FakeBlock block = bench.scattered;
    bench.attempt(() -> bench.mapping.map(block.segment().asSlice(50, 15000), BIDIRECTIONAL, NONE));
    for (int i = 0; i < 15000; i += 777) {
      assertThat(bench.rig.deviceRead(bench.mapping.dmaAddress() + i)).isEqualTo(bench.rig.memory.get(block.phys(50 + i)));
    }
    bench.mapping.unmap();
  }

  private static void mapForeign(Bench bench) {
    if (!bench.rig.kind.bounces) {
      return;
    }
    byte[] bytes = {1, 2, 3, 4, 5};
    bench.attempt(() -> bench.mapping.map(MemorySegment.ofArray(bytes), BIDIRECTIONAL, NONE));
    assertThat(bench.rig.deviceRead(bench.mapping.dmaAddress() + 4)).isEqualTo((byte) 5);
    bench.rig.deviceWrite(bench.mapping.dmaAddress(), (byte) 9);
    bench.mapping.unmap();
    assertThat(bytes[0]).isEqualTo((byte) 9);
  }

  private static void mapPeer(Bench bench) {
    if (!bench.rig.kind.peers) {
      return;
    }
    for (FakeBlock peer : List.of(bench.rig.bus, bench.rig.bridge)) {
      bench.attempt(() -> bench.mapping.map(peer.phys(0), 2 * PAGE, TO_DEVICE, NONE));
      bench.expectDeviceSees(bench.mapping.dmaAddress(), peer.phys(0), 2 * PAGE);
      bench.mapping.unmap();
    }
  }

  private static void twoSteps(Bench bench) {
    if (!bench.reserve(0x300, 4 * PAGE)) {
      return;
    }
    IovaReservation window = bench.reservation;
    FakeBlock block = bench.scattered;
    bench.attempt(() -> window.link(0, block.phys(0x300), PAGE - 0x300));
    bench.attempt(() -> window.link(2 * PAGE - 0x300, block.phys(2 * PAGE), PAGE));
    bench.attempt(() -> window.link(PAGE - 0x300, block.phys(PAGE), PAGE));
    window.sync(0, 3 * PAGE - 0x300);
    bench.expectDeviceSees(window.address() + PAGE - 0x300, block.phys(PAGE), PAGE);
    window.unlink(PAGE - 0x300, PAGE);
    assertThat(bench.rig.isUnreachable(window.address() + PAGE)).isTrue();
    bench.attempt(() -> window.link(PAGE - 0x300, block.phys(3 * PAGE), PAGE));
    window.sync(PAGE - 0x300, PAGE);
    bench.expectDeviceSees(window.address() + PAGE - 0x300, block.phys(3 * PAGE), PAGE);
    window.destroy();
  }

  private static void twoStepsBatched(Bench bench) {
    if (!bench.reserve(0, 2 * PAGE)) {
      return;
    }
    IovaReservation window = bench.reservation;
    bench.attempt(() -> window.link(0, bench.scattered.phys(0), PAGE));
    bench.attempt(() -> window.link(PAGE, bench.scattered.phys(PAGE), PAGE));
    window.sync(0, 2 * PAGE);
    window.unlink(0, PAGE, bench.batch);
    window.destroy(bench.batch);
    assertThat(bench.scattered.region.pins()).as("memory is held until the batch completes").isPositive();
    bench.batch.complete();
  }

  private static void transfer(Bench bench, Ranges ranges) {
    Entries entries = new Entries();
    bench.attempt(() -> bench.transfer.map(ranges, TO_DEVICE, NONE, entries));
    assertThat(entries.readAll(bench.rig)).isEqualTo(bench.contents(ranges));
    bench.transfer.unmap();
    Entries refusing = new Entries();
    refusing.refuseAt = 0;
    String before = bench.rig.accounts();
    assertThat(bench.transfer.map(ranges, TO_DEVICE, NONE, refusing)).isEqualTo(-1);
    bench.rig.mapper.releaseQuarantined();
    assertThat(bench.rig.accounts()).as("after the sink refused").isEqualTo(before);
    bench.attempt(() -> bench.transfer.map(ranges, FROM_DEVICE, NONE, new Entries()));
    bench.transfer.unmap(bench.batch);
    bench.batch.complete();
  }

  private static void transferPeers(Bench bench, Ranges ranges) {
    if (bench.rig.kind.peers) {
      transfer(bench, ranges);
    }
  }

  private static void linear(Bench bench, Ranges ranges) {
    LinearMapping linear = bench.linear;
    try {
      bench.attempt(() -> linear.map(ranges, BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE));
    } catch (DmaMappingException e) {
      if (e.reason() == Reason.NOT_LINEAR || e.reason() == Reason.PEER_UNREACHABLE) {
        return;
      }
      throw e;
    }
    byte[] contents = bench.contents(ranges);
    for (int i = 0; i < contents.length; i += 509) {
      assertThat(bench.rig.deviceRead(linear.dmaAddress() + i)).isEqualTo(contents[i]);
    }
    linear.syncForCpu(5, 3);
    linear.unmap();
    bench.attempt(() -> linear.map(ranges, TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE));
    linear.unmap(bench.batch);
    bench.batch.complete();
  }

  private static void imported(Bench bench) {
    ImportedBuffer[] attached = new ImportedBuffer[1];
    bench.attempt(() -> attached[0] = bench.exported.attach(bench.rig.mapper, () -> {}));
    try (ImportedBuffer imported = attached[0]) {
      Entries entries = new Entries();
      bench.attempt(() -> imported.map(BIDIRECTIONAL, NONE, entries));
      assertThat(entries.readAll(bench.rig)).isEqualTo(bench.contents(bench.pages()));
      imported.unmap();
      if (bench.rig.kind.translates || bench.rig.kind.bounces) {
        bench.attempt(() -> imported.mapLinear(BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE));
        assertThat(bench.rig.deviceRead(imported.dmaAddress() + PAGE)).isEqualTo(bench.contents(bench.pages())[(int) PAGE]);
      }
    }
    assertThat(bench.exported.attachments()).isZero();
  }

  private static void collected(Bench bench) {
    bench.transfer.begin(3 * PAGE, TO_DEVICE, NONE);
    assertThat(bench.transfer.add(bench.scattered.phys(0), PAGE)).isTrue();
    assertThat(bench.transfer.add(bench.scattered.phys(2 * PAGE), PAGE)).isTrue();
    assertThat(bench.transfer.add(bench.scattered.phys(PAGE), 2 * PAGE)).isFalse();
    bench.attempt(() -> bench.transfer.finish(new Entries()));
    bench.transfer.unmap();
  }

  private static void window(Bench bench) {
    if (bench.rig.kind.bounces) {
      return;
    }
    boolean translates = bench.rig.kind.translates;
    try (SparseWindow window = bench.rig.mapper.newWindow(16 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      Entries entries = new Entries();
      bench.attempt(() -> window.link(4 * PAGE, bench.pages(), TO_DEVICE, entries));
      assertThat(entries.readAll(bench.rig)).isEqualTo(bench.contents(bench.pages()));
      bench.attempt(() -> window.link(PAGE, bench.scattered.phys(PAGE), PAGE, BIDIRECTIONAL));
      if (translates && bench.rig.terminal.name().equals("fake-iommu")) {
        window.protect(PAGE, PAGE, TO_DEVICE);
        assertThat(bench.rig.reached(window.address() + PAGE, MapFlags.DEVICE_WRITES)).isEqualTo(-1);
      }
      Entries refusing = new Entries();
      refusing.refuseAt = 1;
      String before = bench.rig.accounts();
      assertThat(window.link(10 * PAGE, bench.pages(), TO_DEVICE, refusing)).isEqualTo(-1);
      bench.rig.mapper.releaseQuarantined();
      if (!bench.rig.faults.hasFailed()) {
        assertThat(bench.rig.accounts()).isEqualTo(before);
        assertThat(!translates || bench.rig.isUnreachable(window.address() + 10 * PAGE)).as("undone units").isTrue();
      }
      window.unlink(5 * PAGE, PAGE);
      assertThat(window.isLinked(5 * PAGE)).isFalse();
      window.unlink(PAGE, PAGE, bench.batch);
      bench.batch.complete();
    }
  }

  private static void importedUnits(Bench bench) {
    if (bench.rig.kind.bounces) {
      return;
    }
    boolean translates = bench.rig.kind.translates;
    ImportedBuffer[] attached = new ImportedBuffer[1];
    bench.attempt(() -> attached[0] = bench.exported.attach(bench.rig.mapper, () -> {}));
    try (ImportedBuffer imported = attached[0];
        SparseWindow window = bench.rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      Entries entries = new Entries();
      bench.attempt(() -> window.link(PAGE, imported, 0, 3 * PAGE, TO_DEVICE, entries));
      assertThat(entries.readAll(bench.rig)).isEqualTo(bench.contents(bench.pages()));
      window.unlink(3 * PAGE, PAGE);
      window.unlink(2 * PAGE, PAGE, bench.batch);
      bench.batch.complete();
      if (translates && !bench.rig.faults.hasFailed()) {
        bench.exported.revoke();
        assertThat(bench.rig.isUnreachable(window.address() + PAGE)).as("taken back, or withheld").isNotEqualTo(bench.exported.mappings() != 0);
        bench.rig.mapper.releaseQuarantined();
        window.unlink(PAGE, PAGE);
        assertThat(bench.exported.mappings()).isZero();
        bench.exported.restore();
      }
    }
    assertThat(bench.exported.mappings()).isZero();
    assertThat(bench.exported.attachments()).isZero();
  }

  private static void coherent(Bench bench) {
    try (DmaBuffer buffer = bench.rig.mapper.allocateCoherent(5000)) {
      assertThat(bench.rig.deviceRead(buffer.dmaAddress() + 4999)).isZero();
      assertThat(buffer.dmaAddress() % (2 * PAGE)).isZero();
      bench.rig.deviceWrite(buffer.dmaAddress() + 7, (byte) 42);
      assertThat(buffer.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)[7]).isEqualTo((byte) 42);
    }
  }

  private static void pool(Bench bench) {
    try (DmaPool pool = bench.rig.mapper.newPool(100, 64)) {
      List<DmaPool.Element> taken = new ArrayList<>();
      try {
        for (int i = 0; i < 40; i++) {
          taken.add(pool.allocate());
        }
      } finally {
        taken.forEach(DmaPool.Element::free);
      }
    }
  }

  private static void batch(Bench bench) {
    bench.attempt(() -> bench.mapping.map(bench.contiguous.phys(0), PAGE, TO_DEVICE, NONE));
    bench.attempt(() -> bench.transfer.map(bench.gapped(), TO_DEVICE, NONE, new Entries()));
    bench.mapping.unmap(bench.batch);
    bench.transfer.unmap(bench.batch);
    bench.attempt(() -> bench.mapping.map(bench.contiguous.phys(0), PAGE, TO_DEVICE, NONE));
    bench.batch.complete();
    bench.mapping.unmap();
  }

  /** One rig with long-lived handles, and a mapping of somebody else that must never change. */
  private static final class Bench {
    final Rig rig;
    final FakeBlock contiguous;
    final FakeBlock scattered;
    final DmaMapping mapping;
    final IovaReservation reservation;
    final DmaTransfer transfer;
    final LinearMapping linear;
    final ExportedBuffer exported;
    final InvalidationBatch batch;
    private final FakeBlock bystanderBlock;
    private final DmaMapping bystander;

    Bench(Rig.Kind kind) {
      rig = new Rig(kind);
      contiguous = filled(8 * PAGE, MemoryPlacement.CONTIGUOUS);
      scattered = filled(8 * PAGE, MemoryPlacement.SCATTERED);
      fill(rig.bus);
      fill(rig.bridge);
      mapping = rig.mapper.newMapping();
      reservation = rig.mapper.newReservation();
      transfer = rig.mapper.newTransfer();
      linear = rig.mapper.newLinear();
      exported = ExportedBuffer.of(rig.machine, "frame", pages());
      batch = rig.mapper.newBatch();
      bystanderBlock = filled(3 * PAGE, MemoryPlacement.CONTIGUOUS);
      bystander = rig.mapper.map(bystanderBlock.phys(0), 3 * PAGE, BIDIRECTIONAL, NONE);
    }

    private FakeBlock filled(long length, MemoryPlacement placement) {
      FakeBlock block = rig.allocate(length, placement);
      fill(block);
      return block;
    }

    private void fill(FakeBlock block) {
      for (long i = 0; i < block.length(); i++) {
        rig.memory.put(block.phys(i), (byte) (block.phys(i) * 31 >>> 7));
      }
    }

    void runOnce(Scenario scenario) {
      scenario.run(this);
    }

    /** Make a request; if it fails, nothing may be left of it. */
    void attempt(Runnable request) {
      String before = rig.accounts();
      try {
        request.run();
      } catch (DmaMappingException e) {
        rig.faults.off();
        rig.mapper.releaseQuarantined();
        assertThat(rig.accounts()).as("after %s", e.getMessage()).isEqualTo(before);
        throw e;
      }
    }

    boolean reserve(long phys, long length) {
      boolean[] reserved = new boolean[1];
      attempt(() -> reserved[0] = reservation.tryAlloc(phys, length, BIDIRECTIONAL, NONE));
      assertThat(reserved[0]).isEqualTo(rig.kind.translates);
      return reserved[0];
    }

    /** Tear down what a failed run left mapped, and let what could not be invalidated be tried again. */
    void tidy() {
      for (Runnable teardown : List.<Runnable>of(mapping::unmap, reservation::destroy, transfer::unmap, linear::unmap)) {
        try {
          teardown.run();
        } catch (IllegalStateException idle) {
          assertThat(idle).hasMessageContaining("torn down already");
        }
      }
      batch.complete();
      rig.mapper.releaseQuarantined();
    }

    void expectDeviceSees(long dmaAddress, long phys, long length) {
      for (long i = 0; i < length; i += 509) {
        assertThat(rig.deviceRead(dmaAddress + i)).isEqualTo(rig.memory.get(phys + i));
      }
    }

    byte[] contents(Ranges ranges) {
      byte[] bytes = new byte[(int) ranges.bytes()];
      int at = 0;
      for (long[] range : ranges.list) {
        for (long i = 0; i < range[1]; i++) {
          bytes[at++] = rig.memory.get(range[0] + i);
        }
      }
      return bytes;
    }

    Ranges one() {
      return Ranges.of(contiguous.phys(700), 6000);
    }

    Ranges pages() {
      return Ranges.of(scattered.phys(0), PAGE, scattered.phys(3 * PAGE), PAGE, scattered.phys(PAGE), PAGE);
    }

    Ranges gapped() {
      return Ranges.of(scattered.phys(100), 500, contiguous.phys(10), 5000, scattered.phys(2 * PAGE + 8), 16);
    }

    Ranges peers(FakeBlock peer) {
      return Ranges.of(peer.phys(0), 2 * PAGE, peer.phys(4 * PAGE), PAGE);
    }

    Ranges neighbours(FakeBlock peer) {
      return Ranges.of(peer.phys(PAGE), PAGE, peer.phys(2 * PAGE), 100);
    }

    Ranges mixed(FakeBlock peer) {
      return Ranges.of(scattered.phys(0), PAGE, peer.phys(0), PAGE, scattered.phys(2 * PAGE), PAGE);
    }

    Ranges everything() {
      return Ranges.of(
          contiguous.phys(3), 50, rig.bus.phys(0), PAGE, scattered.phys(0), PAGE, rig.bridge.phys(0), PAGE,
          scattered.phys(PAGE), PAGE, rig.bus.phys(3 * PAGE), 64, contiguous.phys(PAGE), 3 * PAGE);
    }

    void checkBystander() {
      expectDeviceSees(bystander.dmaAddress(), bystanderBlock.phys(0), 3 * PAGE);
    }

    void closeAll() {
      mapping.close();
      reservation.close();
      transfer.close();
      linear.close();
      exported.close();
      bystander.close();
      rig.mapper.close();
      assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached());
      assertThat(rig.memory.pins()).isZero();
    }
  }
}
