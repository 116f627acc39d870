package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.tck.ProbeDevice;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Address spaces that are closed are forgotten, also by threads that go on. */
@Tag("unchecked")
class ForgottenSpaceTest {
  private static final int SPACES = 60;
  private static final long UNIT = 4096;

  @Test
  void threadsThatUnlinkedDoNotKeepAddressSpacesThatAreClosed() {
    try (ExecutorService another = Executors.newSingleThreadExecutor()) {
      assertThat(remaining(Runnable::run)).as("kept by the thread that closed them").isZero();
      assertThat(remaining(unlink -> await(another.submit(unlink)))).as("kept by another thread").isZero();
    }
  }

  private static long remaining(Consumer<Runnable> thread) {
    List<WeakReference<ModelMachine>> machines = new ArrayList<>();
    for (int i = 0; i < SPACES; i++) {
      machines.add(new WeakReference<>(use(thread)));
    }
    // Whoever said that he is done may still be on his way out of what he did last.
    thread.accept(() -> {});
    System.gc();
    return machines.stream().filter(machine -> machine.get() != null).count();
  }

  private static void await(Future<?> done) {
    try {
      done.get();
    } catch (InterruptedException | ExecutionException e) {
      throw new AssertionError(e);
    }
  }

  private static ModelMachine use(Consumer<Runnable> thread) {
    Rig rig = new Rig("memory", "16M");
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, rig.plug(new ProbeDevice(), SlotOptions.DEFAULT), DeviceLimits.UNLIMITED);
        MemoryBlock block = rig.memory().allocate(UNIT, MemoryPlacement.CONTIGUOUS);
        SparseWindow window = mapper.newWindow(2 * UNIT, UNIT, DmaDirection.BIDIRECTIONAL, 0)) {
      window.link(0, block.phys(0), UNIT, DmaDirection.BIDIRECTIONAL);
      thread.accept(() -> window.unlink(0, UNIT));
    }
    backend.close();
    rig.machine.close();
    return rig.machine;
  }
}
