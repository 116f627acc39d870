package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.lang.foreign.MemorySegment;

/** A device's place in a machine: its registers, memory, interrupts and standing. Compared by identity; thread-safe unless said otherwise. */
public interface DeviceSlot {
  /** Return the place's name. */
  DeviceAddress address();

  /** Return vendor and device number as PCI has them, vendor in the low half. */
  default int deviceId() {
    return (int) config().read(0, 4);
  }

  /** Return the PCI class code, 24 bits. */
  default int classCode() {
    return (int) (config().read(8, 4) >>> 8);
  }

  /** Tell whether the device is trusted to behave; an untrusted one gets translation or nothing. */
  boolean trusted();

  /** Tell whether the device sees CPU caches. */
  boolean coherent();

  /** Return the configuration space. */
  ConfigSpace config();

  /** Return what BAR {@code bar} is, 0 to 5. */
  Bar bar(int bar);

  /**
   * Return the registers of a BAR.
   *
   * @throws io.twostep.dma.DmaMappingException DETACHED if the device is gone
   * @throws IllegalArgumentException if the BAR does not exist
   */
  Mmio mmio(int bar);

  /**
   * Return the memory of a BAR as the CPU sees it.
   *
   * @throws io.twostep.dma.DmaMappingException DETACHED if the device is gone
   * @throws IllegalArgumentException unless the BAR is {@link Bar.Kind#MEMORY}
   */
  MemorySegment memory(int bar);

  /**
   * Publish a part of a BAR as peer memory: from now on its physical addresses are {@link MemoryKind#PEER}. Drivers call {@link
   * io.twostep.dma.PeerMemory#publish}, which checks the range.
   *
   * @param offset first byte within the BAR, on a frame
   * @param length bytes, whole frames within the BAR
   * @return the region, with its {@link MemoryRegion#peer}
   * @throws io.twostep.dma.DmaMappingException UNSUPPORTED if this machine has no peer memory; DETACHED if the device is gone
   * @throws IllegalArgumentException if a part of it is published already
   */
  default MemoryRegion publish(int bar, long offset, long length) {
    throw new DmaMappingException(Reason.UNSUPPORTED, address() + ": this machine cannot publish BAR " + bar + " to peers");
  }

  /** Take back what {@link #publish} made, once nothing holds it; also after the device was pulled out: until then its addresses stay those of the region. */
  default void withdraw(MemoryRegion region) {}

  /** Return the device's interrupts. */
  Interrupts interrupts();

  /** Let the device master the bus, or stop it: with false, every access of it is refused from when this returns. */
  void busMaster(boolean enabled);

  /**
   * Reset the function; when this returns the device has no request in flight and none of its old state.
   *
   * <p>Clears bus mastering: call {@link #busMaster} before the device is used again. BARs, decoding and interrupt vectors stay as they were set up.
   */
  void reset();

  /**
   * One base address register.
   *
   * @param kind what it decodes to
   * @param phys physical address of its first byte; 0 for NONE
   * @param busAddress bus address of its first byte
   * @param length bytes
   */
  record Bar(Kind kind, long phys, long busAddress, long length) {
    /** A BAR that does not exist. */
    public static final Bar NONE = new Bar(Kind.NONE, 0, 0, 0);

    /** What a BAR decodes to. */
    public enum Kind {
      /** Nothing. */
      NONE,
      /** Registers with side effects. */
      REGISTERS,
      /** Memory. */
      MEMORY
    }
  }
}
