package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Accesses of a device that the IOMMU refused, each attributed to the mapping it was meant for. */
class DeviceCrimesTest {
  private static final long PAGE = Rig.PAGE;

  private final Rig rig = Rig.translated();
  private final MemoryBlock block = rig.allocate(16 * PAGE);
  private final long phys = block.phys(0);

  @AfterEach
  void close() {
    rig.close();
  }

  @Test
  void accessAfterUnmapShowsTheUnmap() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    long address = mapping.dmaAddress();
    mapping.unmap();
    read(address + 5);
    Report report = rig.only(Rule.DEVICE_USED_UNMAPPED, true);
    assertThat(report.first()).isEqualTo(address + 5);
    assertThat(report.text(8)).contains("earlier: unmapped");
  }

  @Test
  void refusedAccessesAreNotReportedWhereTheyAreExpected() {
    try (Rig quiet = new Rig(true, Rig.QUIET.withFaults(false), SlotOptions.DEFAULT, DeviceLimits.UNLIMITED)) {
      assertThatThrownBy(() -> quiet.device.read(0x123000, 4)).isInstanceOf(IllegalStateException.class);
      assertThat(quiet.reports()).isEmpty();
    }
  }

  @Test
  void accessAfterUnlinkShowsTheUnlink() {
    IovaReservation window = window();
    window.link(0, phys, 2 * PAGE);
    window.sync(0, 2 * PAGE);
    window.unlink(PAGE, PAGE);
    read(window.address() + PAGE);
    assertThat(rig.only(Rule.DEVICE_USED_UNLINKED, true).text(8)).contains("earlier: unlinked");
  }

  @Test
  void accessBeforeSyncShowsTheLink() {
    IovaReservation window = window();
    window.link(0, phys, PAGE);
    read(window.address());
    assertThat(rig.only(Rule.DEVICE_USED_UNSYNCED, true).text(8)).contains("earlier: linked");
  }

  @Test
  void accessToAHoleShowsTheWindow() {
    IovaReservation window = window();
    window.link(0, phys, PAGE);
    window.sync(0, PAGE);
    read(window.address() + 2 * PAGE);
    rig.only(Rule.DEVICE_USED_HOLE, true);
  }

  @Test
  void accessBeyondTheEndShowsTheMapping() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    read(mapping.dmaAddress() + PAGE + 8);
    rig.only(Rule.DEVICE_USED_BEYOND_END, true);
  }

  @Test
  void accessAgainstAPermissionThatWasTakenAwayIsTheDevicesFault() {
    SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE);
    long address = window.link(0, phys, 3 * PAGE, BIDIRECTIONAL);
    window.protect(PAGE, PAGE, FROM_DEVICE);
    rig.device.read(address, 1);
    rig.device.read(address + 2 * PAGE, 1);
    assertThat(rig.reports()).isEmpty();
    read(address + PAGE);
    rig.only(Rule.DEVICE_USED_WRONG_DIRECTION, true);
  }

  @Test
  void whatADeviceWroteWithAPermissionGivenLaterIsNoWriteOfTheCpu() {
    SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE);
    long address = window.link(0, phys, PAGE, TO_DEVICE);
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    window.protect(0, PAGE, BIDIRECTIONAL);
    rig.device.write(address, new byte[] {1, 2, 3});
    mapping.unmap();
    assertThat(rig.reports()).isEmpty();
  }

  @Test
  void accessAgainstTheDirectionShowsTheMapping() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    assertThatThrownBy(() -> rig.device.write(mapping.dmaAddress(), new byte[4])).isInstanceOf(IllegalStateException.class);
    assertThat(rig.only(Rule.DEVICE_USED_WRONG_DIRECTION, true).detail()).contains("write refused");
  }

  @Test
  void useOfFreedCoherentMemoryShowsWhereItWasFreed() {
    DmaBuffer buffer = rig.mapper.allocateCoherent(PAGE);
    long address = buffer.dmaAddress();
    buffer.close();
    read(address);
    rig.only(Rule.DEVICE_USED_FREED_COHERENT, true);
  }

  @Test
  void aPhysicalAddressGivenToTheDeviceShowsTheMapping() {
    Rig.ignore(rig.mapper.map(phys, PAGE, TO_DEVICE, NONE));
    read(phys);
    rig.only(Rule.DEVICE_USED_PHYSICAL_ADDRESS, true);
  }

  @Test
  void anAddressThatNeverWasIsNamed() {
    read(0x123_4567_8000L);
    rig.only(Rule.DEVICE_USED_UNKNOWN_ADDRESS, false);
  }

  private void read(long address) {
    assertThatThrownBy(() -> rig.device.read(address, 4)).isInstanceOf(IllegalStateException.class);
  }

  private IovaReservation window() {
    IovaReservation window = rig.mapper.newReservation();
    assertThat(window.tryAlloc(phys, 4 * PAGE, TO_DEVICE, NONE)).isTrue();
    return window;
  }
}
