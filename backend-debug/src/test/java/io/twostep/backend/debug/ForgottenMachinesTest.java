package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.Machine;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** One checker may follow many machines, one after the other: of those that are closed only reports are left. */
class ForgottenMachinesTest {
  private static final int MACHINES = 20;
  private static final long PAGE = Rig.PAGE;

  @Test
  void machinesWhoseDevicesAreDetachedAreForgotten() throws InterruptedException {
    DebugBackend checker = new DebugBackend(Rig.QUIET);
    List<WeakReference<Machine>> machines = new ArrayList<>();
    for (int i = 0; i < MACHINES; i++) {
      machines.add(new WeakReference<>(use(checker)));
    }
    // Another thread may still be on its way out of the last of them.
    for (int i = 0; i < 200 && machines.stream().anyMatch(machine -> machine.get() != null); i++) {
      System.gc();
      Thread.sleep(i);
    }
    assertThat(machines).as("kept").allSatisfy(machine -> assertThat(machine.get()).isNull());
    assertThat(checker.statistics().reports()).as("one late access of each").isEqualTo(MACHINES);
    Reference.reachabilityFence(checker);
  }

  private static Machine use(DebugBackend checker) {
    try (Rig rig = Rig.translated();
        DmaMapper mapper = DmaStack.of(rig.terminal, checker).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED)) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      DmaMapping mapping = mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE);
      long address = mapping.dmaAddress();
      mapping.close();
      try (IovaReservation window = mapper.newReservation()) {
        assertThat(window.tryAlloc(0, 2 * PAGE, TO_DEVICE, NONE)).isTrue();
        window.link(0, block.phys(PAGE), 2 * PAGE);
        window.sync(0, 2 * PAGE);
        window.unlink(0, PAGE);
      }
      assertThatThrownBy(() -> rig.device.read(address, 4)).isInstanceOf(IllegalStateException.class);
      return rig.machine;
    }
  }
}
