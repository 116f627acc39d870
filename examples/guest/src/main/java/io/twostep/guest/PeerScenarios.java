package io.twostep.guest;

import static io.twostep.guest.EduScenarios.require;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.backend.p2p.PeerPath;
import io.twostep.device.nvme.BioVector;
import io.twostep.device.nvme.ControllerMemoryBuffer;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/** Two NVMe controllers in IOMMU groups of their own, and the memory of the first in the hands of the second. */
final class PeerScenarios {
  private static final int LENGTH = 128 << 10;
  private static final int PAGE = 4096;
  private static final int BLOCK = 512;
  private static final long FIRST_COPY = 8;
  private static final long SECOND_COPY = FIRST_COPY + LENGTH / BLOCK;

  /** The host bridge of QEMU's q35 machine, which forwards. */
  private static final P2pConfig FORWARDING = new P2pConfig("8086:29c0=same");

  private PeerScenarios() {}

  /** Copy from one drive to the other through the first one's memory: by requests of that memory alone, and by requests with host memory around it. */
  static String bytesGoThroughTheFirstOnesMemory(String from, String to) {
    try (LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(16 << 20));
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        P2pBackend p2p = new P2pBackend(FORWARDING);
        NvmeController first = open(machine, from, DmaStack.of(iommu, p2p));
        NvmeController second = open(machine, to, DmaStack.of(iommu, p2p));
        PeerMemory published = published(first);
        PeerBlock peer = published.allocate(LENGTH);
        MemoryBlock host = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED)) {
      PeerPath path = p2p.path(machine, machine.slot(new DeviceAddress(to)), published.provider());
      require(path.type() == PeerMapType.THROUGH_HOST_BRIDGE, "the second one reaches the first one's memory otherwise: " + path);
      byte[] bytes = new byte[LENGTH];
      new Random(23).nextBytes(bytes);
      host.segment().copyFrom(MemorySegment.ofArray(bytes));
      first.namespace(1).write(FIRST_COPY, host);

      read(first, 0, new BioVector().add(peer.phys(), LENGTH));
      require(Arrays.equals(peer.segment().toArray(ValueLayout.JAVA_BYTE), bytes), "the first one's memory holds other bytes than its medium");
      write(second, FIRST_COPY, new BioVector().add(peer.phys(), LENGTH));

      // This controller takes no request of its own memory and other memory mixed; to the second one both are memory.
      peer.segment().fill((byte) 0);
      read(first, 0, new BioVector().add(host, 0, PAGE));
      read(first, PAGE, new BioVector().add(peer.phys(), LENGTH - 2 * PAGE));
      read(first, LENGTH - PAGE, new BioVector().add(host, PAGE, PAGE));
      write(second, SECOND_COPY, new BioVector().add(host, 0, PAGE).add(peer.phys(), LENGTH - 2 * PAGE).add(host, PAGE, PAGE));

      for (long copy : new long[] {FIRST_COPY, SECOND_COPY}) {
        host.segment().fill((byte) 0);
        second.namespace(1).read(copy, host);
        require(Arrays.equals(host.segment().toArray(ValueLayout.JAVA_BYTE), bytes), "other bytes arrived at block " + copy);
      }
      return "%d bytes twice, %s over %s: %s".formatted(LENGTH, path.type(), path.hops(), path.reason());
    }
  }

  private static void read(NvmeController from, int offset, BioVector data) {
    NvmeNamespace namespace = from.namespace(1);
    namespace.run(new NvmeBio().read(namespace, FIRST_COPY + offset / BLOCK, data.bytes() / BLOCK, data));
  }

  private static void write(NvmeController to, long lba, BioVector data) {
    NvmeNamespace namespace = to.namespace(1);
    namespace.run(new NvmeBio().write(namespace, lba, data.bytes() / BLOCK, data));
  }

  /** Have the second drive's requests refused where nobody said that the host bridge forwards. */
  static String anUnknownHostBridgeIsRefusedByName(String from, String to) {
    try (LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(16 << 20));
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
        NvmeController first = open(machine, from, DmaStack.of(iommu, p2p));
        NvmeController second = open(machine, to, DmaStack.of(iommu, p2p));
        PeerMemory published = published(first);
        PeerBlock peer = published.allocate(LENGTH)) {
      try {
        write(second, FIRST_COPY, new BioVector().add(peer.phys(), LENGTH));
      } catch (DmaMappingException e) {
        require(e.reason() == Reason.PEER_UNREACHABLE && String.valueOf(e.getMessage()).contains("8086:29c0"), e.toString());
        return String.valueOf(e.getMessage());
      }
      throw new IllegalStateException("a peer's memory was mapped through a host bridge that nobody knows");
    }
  }

  private static PeerMemory published(NvmeController controller) {
    ControllerMemoryBuffer buffer = controller.memoryBuffer();
    if (buffer == null) {
      throw new IllegalStateException("the first controller shows no memory of its own");
    }
    return buffer.publish();
  }

  private static NvmeController open(LinuxMachine machine, String address, DmaStack stack) {
    return NvmeController.open(DriverContext.of(machine, machine.slot(new DeviceAddress(address)), stack, Settings.defaults(new NvmeDriverPlugin())));
  }
}
