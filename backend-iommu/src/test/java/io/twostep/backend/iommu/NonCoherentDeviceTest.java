package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A device that does not see CPU caches, on a machine that keeps both views apart. */
class NonCoherentDeviceTest {
  private final Rig rig = new Rig("iotlb", "adversarial");
  private final ProbeDevice device = new ProbeDevice();
  private final DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withCoherent(false));
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
  private final MemoryBlock block = rig.memory().allocate(1 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private final long line = rig.memory().cacheLine();
  private final Random random = new Random(3);
  private DmaMapper mapper;

  @BeforeEach
  void attach() {
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
  }

  @AfterEach
  void close() {
    mapper.close();
    assertThat(backend.statistics()).isEqualTo(IommuStatistics.NONE);
    rig.close();
  }

  private byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private void cpuWrites(long offset, byte[] bytes) {
    rig.memory().write(phys + offset, MemorySegment.ofArray(bytes), 0, bytes.length);
  }

  private byte[] cpuReads(long offset, int length) {
    byte[] bytes = new byte[length];
    rig.memory().read(phys + offset, MemorySegment.ofArray(bytes), 0, length);
    return bytes;
  }

  @Test
  void mappingHandsBytesOverBothWays() {
    byte[] out = bytes(4096);
    cpuReads(0, 4096);
    cpuWrites(0, out);
    try (DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      assertThat(mapping.needsSync()).isTrue();
      assertThat(device.tryRead(mapping.dmaAddress(), 4096)).isEqualTo(out);
      byte[] in = bytes(100);
      device.tryWrite(mapping.dmaAddress() + 1000, in);
      mapping.syncForCpu(1000, 100);
      assertThat(cpuReads(1000, 100)).isEqualTo(in);
      byte[] again = bytes(64);
      cpuWrites(line, again);
      mapping.syncForDevice(line, 64);
      assertThat(device.tryRead(mapping.dmaAddress() + line, 64)).isEqualTo(again);
      device.tryWrite(mapping.dmaAddress(), out);
    }
    assertThat(cpuReads(0, 4096)).isEqualTo(out);
  }

  @Test
  void whatWasLinkedAndNeverSyncedKeepsItsDirtyLines() {
    byte[] synced = bytes(4096);
    byte[] never = bytes(4096);
    try (IovaReservation window = mapper.newReservation()) {
      window.tryAlloc(phys, 8192, DmaDirection.BIDIRECTIONAL, 0);
      cpuWrites(0, synced);
      window.link(0, phys, 4096);
      window.sync(0, 4096);
      cpuWrites(4096, never);
      window.link(4096, phys + 4096, 4096);
      window.destroy();
      assertThat(cpuReads(0, 4096)).isEqualTo(synced);
      assertThat(cpuReads(4096, 4096)).isEqualTo(never);
      cpuWrites(4096, synced);
      window.tryAlloc(phys, 8192, DmaDirection.BIDIRECTIONAL, 0);
      window.link(4096, phys + 4096, 4096);
      window.unlink(4096, 4096);
      window.free();
      assertThat(cpuReads(4096, 4096)).isEqualTo(synced);
    }
  }

  @Test
  void neighboursOfPartlyLinkedGranulesKeepTheirDirtyLines() {
    byte[] below = bytes((int) line);
    byte[] above = bytes((int) line);
    int head = (int) (8 * line);
    int length = (int) (3 * 4096 - 16 * line);
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys + head, length, DmaDirection.FROM_DEVICE, 0);
    window.link(0, phys + head, length);
    window.sync(0, length);
    byte[] in = bytes(length);
    device.tryWrite(window.address(), in);
    // Dirty lines of neighbours that share the first and the last granule.
    cpuWrites(head - line, below);
    cpuWrites(head + length, above);
    window.destroy();

    assertThat(cpuReads(head, length)).isEqualTo(in);
    assertThat(cpuReads(head - line, (int) line)).isEqualTo(below);
    assertThat(cpuReads(head + length, (int) line)).isEqualTo(above);
    window.close();
  }

  @Test
  void unlinkedPartIsTheCpusAndTheRestStaysTheDevices() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, 3 * 4096, DmaDirection.FROM_DEVICE, 0);
    for (int i = 0; i < 3; i++) {
      window.link(i * 4096, phys + (2 - i) * 4096, 4096);
    }
    cpuReads(0, 3 * 4096);
    window.sync(0, 3 * 4096);
    byte[] in = bytes(3 * 4096);
    device.tryWrite(window.address(), in);
    window.unlink(4096, 4096);

    assertThat(cpuReads(4096, 4096)).isEqualTo(java.util.Arrays.copyOfRange(in, 4096, 8192));
    window.syncForCpu(0, 4096);
    assertThat(cpuReads(8192, 4096)).isEqualTo(java.util.Arrays.copyOfRange(in, 0, 4096));
    window.destroy();
    assertThat(cpuReads(0, 4096)).isEqualTo(java.util.Arrays.copyOfRange(in, 8192, 3 * 4096));
    window.close();
  }

  @Test
  void sharedLinesAndForbiddenMaintenanceAreRefused() {
    for (long[] range : new long[][] {{1, line}, {0, line + 1}, {line / 2, line}}) {
      DmaMappingException e =
          catchThrowableOfType(DmaMappingException.class, () -> mapper.map(phys + range[0], range[1], DmaDirection.TO_DEVICE, 0));
      assertThat(e.reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
    }
    DmaMappingException e =
        catchThrowableOfType(
            DmaMappingException.class, () -> mapper.map(phys, 4096, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT));
    assertThat(e.reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  void coherentMemoryNeedsNoSync() {
    try (DmaBuffer buffer = mapper.allocateCoherent(4096)) {
      byte[] out = bytes(64);
      MemorySegment.copy(MemorySegment.ofArray(out), 0, buffer.segment(), 64, 64);
      assertThat(device.tryRead(buffer.dmaAddress() + 64, 64)).isEqualTo(out);
      byte[] in = bytes(64);
      device.tryWrite(buffer.dmaAddress() + 64, in);
      assertThat(buffer.segment().asSlice(64, 64).mismatch(MemorySegment.ofArray(in))).isEqualTo(-1);
    }
  }

  @Test
  void windowsMaintainCachesToo() {
    try (SparseWindow window = mapper.newWindow(1 << 20, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      byte[] out = bytes(4096);
      cpuWrites(8192, out);
      window.link(4096, phys + 8192, 4096, DmaDirection.BIDIRECTIONAL);
      assertThat(device.tryRead(window.address() + 4096, 4096)).isEqualTo(out);
      byte[] in = bytes(4096);
      device.tryWrite(window.address() + 4096, in);
      window.unlink(4096, 4096);
      assertThat(cpuReads(8192, 4096)).isEqualTo(in);
    }
  }

  @Test
  void whatWasLinkedAndNeverHandedOverStaysAsTheCpuWroteIt() {
    byte[] mine = bytes(3 * 4096);
    cpuReads(0, mine.length);
    cpuWrites(0, mine);
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, mine.length, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096);
    window.sync(0, 4096);
    window.link(4096, phys + 4096, 4096);
    window.unlink(4096, 4096);
    window.link(4096, phys + 4096, 8192);
    window.destroy();
    assertThat(cpuReads(0, mine.length)).isEqualTo(mine);
    window.close();
    try (SparseWindow sparse = mapper.newWindow(1 << 20, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      cpuWrites(0, mine);
      long[] refused = {0};
      assertThat(sparse.link(0, block.ranges(), DmaDirection.BIDIRECTIONAL, (address, length, kind) -> refused[0]++ < 2)).isEqualTo(-1);
    }
    assertThat(cpuReads(0, mine.length)).isEqualTo(mine);
  }
}
