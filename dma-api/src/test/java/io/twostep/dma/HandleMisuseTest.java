package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every public method of every handle in every state: what is wrong throws the right thing and changes nothing. */
class HandleMisuseTest {
  private static final long PAGE = 4096;

  private final Rig rig = new Rig(Rig.Kind.TRANSLATING);
  private final FakeBlock block = rig.allocate(16 * PAGE, MemoryPlacement.CONTIGUOUS);
  private final InvalidationBatch batch = rig.mapper.newBatch();
  private final Ranges ranges = Ranges.of(block.phys(0), PAGE, block.phys(4 * PAGE), PAGE);


  /** What imports need open; closed with the last of them. */
  private final List<ExportedBuffer> exports = new ArrayList<>();

  private enum State {
    IDLE,
    MAPPED,
    CLOSED,
    DETACHED_IDLE,
    DETACHED_MAPPED
  }

  /** What a call does in the five states: "ok", "ise" or "detached". */
  private record Row<H>(String call, Act<H> act, String... expected) {}

  private interface Act<H> {
    void on(H handle);
  }

  private interface Handles<H extends AutoCloseable> {
    H make();

    void map(H handle);
  }

  private <H extends AutoCloseable> void table(
      List<DynamicTest> tests, String name, Handles<H> handles, List<Row<H>> rows) {
    for (Row<H> row : rows) {
      for (State state : State.values()) {
        String expected = row.expected()[state.ordinal()];
        tests.add(
            dynamicTest(
                name + "." + row.call() + " while " + state + ": " + expected,
                () -> new HandleMisuseTest().runRow(name, row.call(), state, expected)));
      }
    }
  }

  private void runRow(String name, String call, State state, String expected) throws Exception {
    switch (name) {
      case "DmaMapping" -> check(mappings(), row(mappingRows(), call), state, expected);
      case "LinearMapping" -> check(linears(), row(linearRows(), call), state, expected);
      case "ImportedBuffer" -> check(imports(), row(importRows(), call), state, expected);
      case "IovaReservation" -> check(reservations(), row(reservationRows(), call), state, expected);
      default -> check(transfers(), row(transferRows(), call), state, expected);
    }
  }

  private static <H> Row<H> row(List<Row<H>> rows, String call) {
    return rows.stream().filter(r -> r.call().equals(call)).findFirst().orElseThrow();
  }

  private <H extends AutoCloseable> void check(Handles<H> handles, Row<H> row, State state, String expected)
      throws Exception {
    H handle = handles.make();
    if (state == State.MAPPED || state == State.DETACHED_MAPPED) {
      handles.map(handle);
    }
    if (state == State.CLOSED) {
      handle.close();
    }
    if (state.name().startsWith("DETACHED")) {
      rig.mapper.detach();
    }
    String before = rig.accounts();
    switch (expected) {
      case "ok" -> row.act().on(handle);
      case "ise" -> {
        assertThatThrownBy(() -> row.act().on(handle)).isInstanceOf(IllegalStateException.class);
        assertThat(rig.accounts()).isEqualTo(before);
      }
      case "detached" -> {
        assertThatThrownBy(() -> row.act().on(handle))
            .isInstanceOfSatisfying(
                DmaMappingException.class,
                e -> assertThat(e.reason()).isEqualTo(DmaMappingException.Reason.DETACHED));
        assertThat(rig.accounts()).isEqualTo(before);
      }
      default -> throw new AssertionError(expected);
    }
    handle.close();
    batch.complete();
    exports.forEach(ExportedBuffer::close);
    assertThat(rig.memory.pins()).isZero();
    assertThat(rig.terminal.granulesUsed()).isZero();
    assertThat(rig.mapper.liveMappings()).isZero();
  }

  private Handles<DmaMapping> mappings() {
    return new Handles<>() {
      @Override
      public DmaMapping make() {
        return rig.mapper.newMapping();
      }

      @Override
      public void map(DmaMapping handle) {
        handle.map(block.phys(0), 2 * PAGE, TO_DEVICE, NONE);
      }
    };
  }

  private List<Row<DmaMapping>> mappingRows() {
    return List.of(
        new Row<>("map", h -> h.map(block.phys(0), 1, TO_DEVICE, NONE), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("mapSegment", h -> h.map(block.segment(), TO_DEVICE, NONE), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("unmap", DmaMapping::unmap, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("unmapWithBatch", h -> h.unmap(batch), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("dmaAddress", DmaMapping::dmaAddress, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("length", DmaMapping::length, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("direction", DmaMapping::direction, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("needsSync", DmaMapping::needsSync, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("needsUnmap", DmaMapping::needsUnmap, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("syncForCpu", h -> h.syncForCpu(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("syncForDevice", h -> h.syncForDevice(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("close", DmaMapping::close, "ok", "ok", "ok", "ok", "ok"));
  }

  private Handles<IovaReservation> reservations() {
    return new Handles<>() {
      @Override
      public IovaReservation make() {
        return rig.mapper.newReservation();
      }

      @Override
      public void map(IovaReservation handle) {
        handle.tryAlloc(0, 2 * PAGE, TO_DEVICE, NONE);
        handle.link(0, block.phys(0), PAGE);
        handle.sync(0, PAGE);
      }
    };
  }

  private List<Row<IovaReservation>> reservationRows() {
    return List.of(
        new Row<>("tryAlloc", h -> h.tryAlloc(0, 1, TO_DEVICE, NONE), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("link", h -> h.link(PAGE, block.phys(0), 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("sync", h -> h.sync(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("unlink", h -> h.unlink(0, PAGE), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("unlinkWithBatch", h -> h.unlink(0, PAGE, batch), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("free", IovaReservation::free, "ise", "ise", "ise", "ise", "ise"),
        new Row<>("destroy", IovaReservation::destroy, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("destroyWithBatch", h -> h.destroy(batch), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("address", IovaReservation::address, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("length", IovaReservation::length, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("needsSync", IovaReservation::needsSync, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("syncForCpu", h -> h.syncForCpu(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("syncForDevice", h -> h.syncForDevice(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("close", IovaReservation::close, "ok", "ok", "ok", "ok", "ok"));
  }

  private Handles<LinearMapping> linears() {
    return new Handles<>() {
      @Override
      public LinearMapping make() {
        return rig.mapper.newLinear();
      }

      @Override
      public void map(LinearMapping handle) {
        handle.map(ranges, TO_DEVICE, NONE, LinearPolicy.IN_PLACE);
      }
    };
  }

  private List<Row<LinearMapping>> linearRows() {
    return List.of(
        new Row<>("map", h -> h.map(ranges, TO_DEVICE, NONE, LinearPolicy.IN_PLACE), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("unmap", LinearMapping::unmap, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("unmapWithBatch", h -> h.unmap(batch), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("dmaAddress", LinearMapping::dmaAddress, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("length", LinearMapping::length, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("needsSync", LinearMapping::needsSync, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("syncForCpu", h -> h.syncForCpu(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("syncForDevice", h -> h.syncForDevice(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("close", LinearMapping::close, "ok", "ok", "ok", "ok", "ok"));
  }

  private Handles<ImportedBuffer> imports() {
    return new Handles<>() {
      @Override
      public ImportedBuffer make() {
        ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", ranges);
        exports.add(exported);
        return exported.attach(rig.mapper, () -> {});
      }

      @Override
      public void map(ImportedBuffer handle) {
        handle.mapLinear(TO_DEVICE, NONE, LinearPolicy.IN_PLACE);
      }
    };
  }

  private List<Row<ImportedBuffer>> importRows() {
    return List.of(
        new Row<>("map", h -> h.map(TO_DEVICE, NONE, new Entries()), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("mapLinear", h -> h.mapLinear(TO_DEVICE, NONE, LinearPolicy.IN_PLACE), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("unmap", ImportedBuffer::unmap, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("dmaAddress", ImportedBuffer::dmaAddress, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("length", ImportedBuffer::length, "ok", "ok", "ok", "ok", "ok"),
        new Row<>("needsSync", ImportedBuffer::needsSync, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("syncForCpu", h -> h.syncForCpu(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("syncForDevice", h -> h.syncForDevice(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("close", ImportedBuffer::close, "ok", "ok", "ok", "ok", "ok"));
  }

  private Handles<DmaTransfer> transfers() {
    return new Handles<>() {
      @Override
      public DmaTransfer make() {
        return rig.mapper.newTransfer();
      }

      @Override
      public void map(DmaTransfer handle) {
        handle.map(ranges, TO_DEVICE, NONE, new Entries());
      }
    };
  }

  private List<Row<DmaTransfer>> transferRows() {
    return List.of(
        new Row<>("map", h -> h.map(ranges, TO_DEVICE, NONE, new Entries()), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("plan", h -> h.plan(ranges), "ok", "ise", "ise", "detached", "ise"),
        new Row<>("begin", h -> h.begin(PAGE, TO_DEVICE, NONE), "ok", "ise", "ise", "ok", "ise"),
        new Row<>("add", h -> h.add(block.phys(0), 1), "ise", "ise", "ise", "ise", "ise"),
        new Row<>("finish", h -> h.finish(new Entries()), "ise", "ise", "ise", "ise", "ise"),
        new Row<>(
            "beginAddFinish",
            h -> {
              h.begin(PAGE, TO_DEVICE, NONE);
              h.add(block.phys(0), 1);
              h.finish(new Entries());
            },
            "ok",
            "ise",
            "ise",
            "detached",
            "ise"),
        new Row<>("length", DmaTransfer::length, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("needsSync", DmaTransfer::needsSync, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("syncForCpu", h -> h.syncForCpu(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("syncForDevice", h -> h.syncForDevice(0, 1), "ise", "ok", "ise", "ise", "detached"),
        new Row<>("unmap", DmaTransfer::unmap, "ise", "ok", "ise", "ise", "ok"),
        new Row<>("unmapWithBatch", h -> h.unmap(batch), "ise", "ok", "ise", "ise", "ok"),
        new Row<>("close", DmaTransfer::close, "ok", "ok", "ok", "ok", "ok"));
  }

  @TestFactory
  @Tag("breaks:freed-while-linked+mapped-twice+never-mapped+used-after-close")
  Stream<DynamicTest> everyCallInEveryState() {
    List<DynamicTest> tests = new ArrayList<>();
    table(tests, "DmaMapping", mappings(), mappingRows());
    table(tests, "IovaReservation", reservations(), reservationRows());
    table(tests, "LinearMapping", linears(), linearRows());
    table(tests, "ImportedBuffer", imports(), importRows());
    table(tests, "DmaTransfer", transfers(), transferRows());
    return tests.stream();
  }

  @Test
  @Tag("breaks:access-widened+empty-range+link-overlaps+misaligned-link+not-memory+not-window-units+outside-window+range-wraps")
  @Tag("breaks:protect-of-hole+unlink-of-hole+used-after-close")
  void windowRefusesWhatIsWrongAndKeepsWhatIsLinked() {
    SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, TO_DEVICE, NONE);
    window.link(0, block.phys(0), 2 * PAGE, TO_DEVICE);
    String before = rig.accounts();
    misuse(() -> window.link(PAGE / 2, block.phys(0), PAGE, TO_DEVICE));
    misuse(() -> window.link(7 * PAGE, block.phys(0), 2 * PAGE, TO_DEVICE));
    misuse(() -> window.link(-PAGE, block.phys(0), PAGE, TO_DEVICE));
    misuse(() -> window.link(2 * PAGE, block.phys(0), 100, TO_DEVICE));
    misuse(() -> window.link(2 * PAGE, block.phys(0), 0, TO_DEVICE));
    misuse(() -> window.link(2 * PAGE, -PAGE, 2 * PAGE, TO_DEVICE));
    misuse(() -> window.link(2 * PAGE, block.phys(0), PAGE, BIDIRECTIONAL));
    misuse(() -> window.protect(0, PAGE, BIDIRECTIONAL));
    misuse(() -> window.unlink(1, PAGE));
    misuse(() -> window.unlink(0, 9 * PAGE));
    misuse(() -> window.isLinked(8 * PAGE));
    misuse(() -> window.isLinked(-1));
    misuse(() -> window.syncForCpu(8 * PAGE, 1));
    refused(DmaMappingException.Reason.ALREADY_LINKED, () -> window.link(PAGE, ranges, TO_DEVICE, null));
    refused(DmaMappingException.Reason.MISALIGNED, () -> window.link(2 * PAGE, block.phys(8), PAGE, TO_DEVICE));
    refused(DmaMappingException.Reason.NOT_LINKED, () -> window.unlink(PAGE, 2 * PAGE));
    refused(DmaMappingException.Reason.NOT_LINKED, () -> window.protect(PAGE, 2 * PAGE, TO_DEVICE));
    refused(DmaMappingException.Reason.NOT_BACKED, () -> window.link(2 * PAGE, 0x7000_0000_0000L, PAGE, TO_DEVICE));
    assertThat(rig.accounts()).isEqualTo(before);
    assertThat(window.isLinked(PAGE + 5)).isTrue();
    assertThat(rig.deviceRead(window.address() + PAGE)).isZero();
    rig.mapper.detach();
    refused(DmaMappingException.Reason.DETACHED, () -> window.link(2 * PAGE, block.phys(0), PAGE, TO_DEVICE));
    refused(DmaMappingException.Reason.DETACHED, () -> window.protect(0, PAGE, TO_DEVICE));
    refused(DmaMappingException.Reason.DETACHED, () -> window.syncForCpu(0, 1));
    window.unlink(0, PAGE);
    window.close();
    window.close();
    assertThatThrownBy(() -> window.unlink(PAGE, PAGE)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> window.isLinked(0)).isInstanceOf(IllegalStateException.class);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:mapped-twice+never-mapped+outside-mapping+torn-down-twice+unknown-attributes+used-after-close")
  void messagesNameTheDeviceTheCallAndWhatToDo() {
    IovaReservation window = rig.mapper.newReservation();
    assertThatThrownBy(window::address)
        .hasMessage("nvme0: address(): this IovaReservation holds no window; call tryAlloc() first, and use a DmaTransfer where it returns false");
    assertThatThrownBy(() -> window.syncForCpu(0, 1)).hasMessageContaining("syncForCpu(): ");
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    assertThatThrownBy(() -> mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE)).hasMessageContaining("take that down first");
    assertThatThrownBy(() -> window.tryAlloc(0, 1, TO_DEVICE, 1)).hasMessageContaining("nvme0: unknown attribute bits 0x1");
    assertThatThrownBy(() -> rig.mapper.newTransfer().add(0, 1)).hasMessageContaining("nvme0: nothing is being collected");
    assertThatThrownBy(() -> mapping.syncForDevice(-4, 1)).hasMessageContaining("-4").hasMessageContaining("nvme0");
    mapping.unmap();
    assertThatThrownBy(mapping::unmap).hasMessageContaining("unmap(): ").hasMessageContaining("torn down already");
    mapping.close();
    assertThatThrownBy(mapping::length).hasMessageContaining("length(): this DmaMapping is closed");
  }

  @Test
  @Tag("breaks:empty-range+unknown-attributes")
  void windowsOfWrongShapeAreRefused() {
    String before = rig.accounts();
    misuse(() -> rig.mapper.newWindow(0, PAGE, TO_DEVICE, NONE));
    misuse(() -> rig.mapper.newWindow(3 * PAGE + 1, PAGE, TO_DEVICE, NONE));
    misuse(() -> rig.mapper.newWindow(PAGE, 0, TO_DEVICE, NONE));
    misuse(() -> rig.mapper.newWindow(3 * PAGE, 3 * PAGE, TO_DEVICE, NONE));
    misuse(() -> rig.mapper.newWindow(PAGE, PAGE / 2, TO_DEVICE, NONE));
    misuse(() -> rig.mapper.newWindow(PAGE, PAGE, TO_DEVICE, 1 << 20));
    assertThat(rig.accounts()).isEqualTo(before);
  }

  @Test
  @Tag("breaks:empty-range+not-memory+range-wraps+unknown-attributes")
  void rangesThatAreEmptyOrWrapOrHaveUnknownAttributesAreRefused() {
    DmaMapping mapping = rig.mapper.newMapping();
    misuse(() -> mapping.map(block.phys(0), 0, TO_DEVICE, NONE));
    misuse(() -> mapping.map(block.phys(0), -1, TO_DEVICE, NONE));
    misuse(() -> mapping.map(-1L, 2, TO_DEVICE, NONE));
    misuse(() -> mapping.map(block.phys(0), 1, TO_DEVICE, 1));
    misuse(() -> mapping.map(MemorySegment.ofArray(new byte[0]), TO_DEVICE, NONE));
    DmaTransfer transfer = rig.mapper.newTransfer();
    misuse(() -> transfer.map(Ranges.of(block.phys(0), 0), TO_DEVICE, NONE, new Entries()));
    misuse(() -> transfer.map(Ranges.of(block.phys(0), 1, -1L, 2), TO_DEVICE, NONE, new Entries()));
    misuse(() -> transfer.begin(0, TO_DEVICE, NONE));
    IovaReservation window = rig.mapper.newReservation();
    misuse(() -> window.tryAlloc(0, -5, TO_DEVICE, NONE));
    misuse(() -> window.tryAlloc(0, PAGE, 3, -1L, TO_DEVICE, NONE, false));
    misuse(() -> rig.mapper.allocateCoherent(0));
    misuse(() -> rig.mapper.newPool(0, 1));
    misuse(() -> rig.mapper.newPool(8, 3));
    // The last byte of the address space is an address like any other: it is only not memory here.
    refused(DmaMappingException.Reason.NOT_BACKED, () -> mapping.map(-1L, 1, TO_DEVICE, NONE));
    assertThat(rig.memory.pins()).isZero();
    assertThat(rig.mapper.liveMappings()).isZero();
  }

  @Test
  void aSegmentThatMayOnlyBeReadIsMappedForNoDeviceThatWritesIt() {
    DmaMapping mapping = rig.mapper.newMapping();
    for (DmaDirection direction : new DmaDirection[] {DmaDirection.FROM_DEVICE, BIDIRECTIONAL}) {
      misuse(() -> mapping.map(MemorySegment.ofArray(new byte[8]).asReadOnly(), direction, NONE));
    }
    assertThat(rig.mapper.liveMappings()).isZero();
  }

  @Test
  @Tag("may-break:torn-down-twice+used-by-two-threads")
  void onlyOneOfTwoThreadsUnmaps() throws Exception {
    DmaMapping mapping = rig.mapper.newMapping();
    try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
      for (int i = 0; i < 500; i++) {
        mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE);
        CyclicBarrier start = new CyclicBarrier(2);
        AtomicInteger done = new AtomicInteger();
        AtomicInteger refused = new AtomicInteger();
        List<Future<?>> both = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
          both.add(
              pool.submit(
                  () -> {
                    start.await();
                    try {
                      mapping.unmap();
                      done.incrementAndGet();
                    } catch (IllegalStateException e) {
                      refused.incrementAndGet();
                    }
                    return null;
                  }));
        }
        for (Future<?> each : both) {
          each.get();
        }
        assertThat(done).hasValue(1);
        assertThat(refused).hasValue(1);
      }
    }
    assertThat(rig.memory.pins()).isZero();
    assertThat(rig.terminal.granulesUsed()).isZero();
  }

  @Test
  @Tag("breaks:freed-memory")
  void blocksRefuseToCloseWhileMapped() {
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
    mapping.unmap(batch);
    assertThatThrownBy(block::close).as("until the batch completes").isInstanceOf(IllegalStateException.class);
    batch.complete();
    block.close();
    refused(DmaMappingException.Reason.NOT_BACKED, () -> mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE));
  }

  private static void misuse(Runnable call) {
    assertThatThrownBy(call::run).isInstanceOf(IllegalArgumentException.class);
  }

  private static void refused(DmaMappingException.Reason reason, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }

  @Test
  @SuppressWarnings("NullAway")
  void missingDirectionNamesTheDevice() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    assertThatThrownBy(() -> rig.mapper.map(0, 1, null, 0)).isInstanceOf(NullPointerException.class).hasMessageContaining("nvme0");
  }
}
