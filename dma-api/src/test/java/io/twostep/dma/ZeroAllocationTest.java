package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Warm handles allocate nothing, whatever they do. */
@Tag("unchecked")
class ZeroAllocationTest {
  private static final long PAGE = 4096;
  private static final int PAGES = 32;

  private final Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
  private final Rig direct = new Rig(Rig.Kind.PEER_DIRECT);
  private final FakeBlock block = rig.allocate(PAGES * PAGE, MemoryPlacement.SCATTERED);
  private final InvalidationBatch batch = rig.mapper.newBatch();
  private long seen;

  private final DmaSink sink =
      (dmaAddress, length, kind) -> {
        seen += length;
        return true;
      };

  /** A source that allocates nothing itself. */
  private static final class Pages implements PhysRanges {
    private final long[] phys = new long[PAGES];
    private int at;

    Pages(FakeBlock block) {
      for (int i = 0; i < PAGES; i++) {
        phys[i] = block.phys(i * PAGE);
      }
    }

    @Override
    public void rewind() {
      at = 0;
    }

    @Override
    public int fill(long[] toPhys, long[] toLength) {
      int filled = 0;
      while (at < PAGES && filled < toPhys.length) {
        toPhys[filled] = phys[at++];
        toLength[filled++] = PAGE;
      }
      return filled;
    }
  }

  private static void allocatesNothing(Runnable operation) {
    assertThat(Allocation.leastBytesOf(operation)).as("heap bytes of 500 operations").isZero();
  }

  @Test
  void mapAndUnmapAllocateNothing() {
    DmaMapping mapping = rig.mapper.newMapping();
    long phys = block.phys(0);
    allocatesNothing(
        () -> {
          mapping.map(phys, PAGE, TO_DEVICE, NONE);
          mapping.unmap();
          mapping.map(phys, PAGE, TO_DEVICE, NONE);
          mapping.unmap(batch);
          batch.complete();
        });
  }

  @Test
  void twoStepsOf32PagesAllocateNothing() {
    IovaReservation window = rig.mapper.newReservation();
    Pages pages = new Pages(block);
    long[] phys = new long[PAGES];
    for (int i = 0; i < PAGES; i++) {
      phys[i] = block.phys(i * PAGE);
    }
    allocatesNothing(
        () -> {
          window.tryAlloc(0, PAGES * PAGE, TO_DEVICE, NONE);
          for (int i = 0; i < PAGES; i++) {
            window.link(i * PAGE, phys[i], PAGE);
          }
          window.sync(0, PAGES * PAGE);
          window.unlink(0, PAGE);
          window.unlink(PAGE, PAGE, batch);
          window.destroy(batch);
          batch.complete();
          window.tryAlloc(0, PAGES * PAGE, TO_DEVICE, NONE);
          window.link(0, pages);
          window.destroy();
        });
  }

  @Test
  void linearRangesOf32PagesAllocateNothing() {
    LinearMapping linear = rig.mapper.newLinear();
    Pages pages = new Pages(block);
    allocatesNothing(
        () -> {
          linear.map(pages, TO_DEVICE, NONE, LinearPolicy.IN_PLACE);
          linear.syncForDevice(0, PAGE);
          linear.unmap();
          linear.map(pages, TO_DEVICE, NONE, LinearPolicy.IN_PLACE);
          linear.unmap(batch);
          batch.complete();
        });
  }

  @Test
  void transfersOf32PagesAllocateNothing() {
    DmaTransfer translated = rig.mapper.newTransfer();
    DmaTransfer plain = direct.mapper.newTransfer();
    Pages pages = new Pages(block);
    Pages directPages = new Pages(direct.allocate(PAGES * PAGE, MemoryPlacement.SCATTERED));
    allocatesNothing(
        () -> {
          translated.plan(pages);
          translated.map(pages, TO_DEVICE, NONE, sink);
          translated.unmap();
          plain.map(directPages, TO_DEVICE, NONE, sink);
          plain.unmap();
        });
    assertThat(seen).isPositive();
  }

  @Test
  void windowsAllocateNothing() {
    Pages pages = new Pages(block);
    long phys = block.phys(0);
    try (SparseWindow window = rig.mapper.newWindow(2 * PAGES * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      allocatesNothing(
          () -> {
            window.link(PAGE, phys, PAGE, TO_DEVICE);
            window.unlink(PAGE, PAGE);
            window.link(0, pages, BIDIRECTIONAL, sink);
            window.protect(0, PAGE, TO_DEVICE);
            window.unlink(0, 16 * PAGE);
            window.unlink(16 * PAGE, 16 * PAGE, batch);
            batch.complete();
          });
    }
  }

  @Test
  void grownPoolsAllocateNothing() {
    try (DmaPool pool = rig.mapper.newPool(64, 64)) {
      allocatesNothing(() -> pool.allocate().free());
    }
  }
}
