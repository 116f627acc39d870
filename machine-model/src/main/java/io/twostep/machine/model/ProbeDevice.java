package io.twostep.machine.model;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device without registers and without a mind: whoever holds it says what it reads and writes, and sees what a device would see.
 *
 * <p>Thread-safe once plugged. Its slot must be told to master the bus ({@code slot.busMaster(true)}), as a driver would.
 */
public final class ProbeDevice implements DeviceModel {
  private volatile @Nullable BusMaster bus;

  /** Create a probe, to be plugged into one machine. */
  public ProbeDevice() {}

  /**
   * Read bytes as the device.
   *
   * @throws IllegalStateException if the machine refuses the access, or the probe is not plugged
   */
  public byte[] read(long dmaAddress, int length) {
    byte[] bytes = new byte[length];
    check("read", dmaAddress, length, plugged().read(dmaAddress, MemorySegment.ofArray(bytes), 0, length));
    return bytes;
  }

  /** Write bytes as the device; as {@link #read}. */
  public void write(long dmaAddress, byte[] bytes) {
    check("write", dmaAddress, bytes.length, plugged().write(dmaAddress, MemorySegment.ofArray(bytes), 0, bytes.length));
  }

  private BusMaster plugged() {
    BusMaster connected = bus;
    if (connected == null) {
      throw new IllegalStateException("the probe is not plugged into a machine");
    }
    return connected;
  }

  private static void check(String access, long dmaAddress, long length, int status) {
    if (status != BusMaster.OK) {
      throw new IllegalStateException(
          "probe: " + access + " of 0x" + HexFormat.of().toHexDigits(dmaAddress) + "+0x" + Long.toHexString(length) + " was refused: "
              + switch (status) {
                case BusMaster.UNSUPPORTED_REQUEST -> "nothing the device may reach is there; ModelMachine.faults tells why";
                case BusMaster.NOT_MASTER -> "the device may not master the bus; call busMaster(true) of its slot";
                default -> "the target aborted";
              });
    }
  }

  @Override
  public Identity identity() {
    return new Identity(0x1af4, 0x10ff, 0xff0000, 0);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of();
  }

  @Override
  public int vectors() {
    return 0;
  }

  @Override
  public void connect(BusMaster master, Signals signals) {
    bus = master;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return -1L;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {}

  @Override
  public void reset() {}

  @Override
  public boolean step(int budget) {
    return false;
  }

  @Override
  public void close() {}
}
