package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;

/** The device's configuration space, by messages; all ones, and writes lost, once the server is. */
final class RemoteConfig implements ConfigSpace {
  private static final int COMMAND = 0x04;
  private static final int MEMORY_ENABLE = 1 << 1;
  private static final int MASTER_ENABLE = 1 << 2;
  private static final int LINE_DISABLE = 1 << 10;
  private static final int STATUS = 0x06;
  private static final int HAS_CAPABILITIES = 1 << 4;
  private static final int CAPABILITIES = 0x34;
  private static final int MSIX = 0x11;
  private static final int MSIX_CONTROL = 2;
  private static final int MSIX_ENABLE = 1 << 15;
  private static final int FIRST_CAPABILITY = 0x40;
  private static final int MOST_CAPABILITIES = 48;

  private final Connection connection;
  private final RemoteDevice device;
  private final long length;

  RemoteConfig(Connection connection, RemoteDevice device, long length) {
    this.connection = connection;
    this.device = device;
    this.length = length;
  }

  @Override
  public long read(int offset, int width) {
    require(offset, width);
    if (!connection.isLost()) {
      try {
        return device.read(RegionIndex.CONFIG, offset, width);
      } catch (DmaMappingException | RefusedException e) {
        // As from a slot without a device.
      }
    }
    return -1L >>> (64 - 8 * width);
  }

  @Override
  public void write(int offset, int width, long value) {
    require(offset, width);
    if (!connection.isLost()) {
      try {
        device.write(RegionIndex.CONFIG, offset, width, value);
      } catch (DmaMappingException | RefusedException e) {
        // As to a slot without a device.
      }
    }
  }

  /** Let the device decode and master the bus, or stop it from mastering. Its line is never used. */
  synchronized void busMaster(boolean enabled) {
    int command = (int) read(COMMAND, 2) | MEMORY_ENABLE | LINE_DISABLE;
    write(COMMAND, 2, enabled ? command | MASTER_ENABLE : command & ~MASTER_ENABLE);
  }

  /** Let the device signal its table's vectors. */
  synchronized void enableVectors() {
    int at = find(MSIX);
    if (at != 0) {
      write(at + MSIX_CONTROL, 2, read(at + MSIX_CONTROL, 2) | MSIX_ENABLE);
    }
  }

  /** Return the offset of a capability, 0 if the device has none such. */
  private int find(int id) {
    if ((read(STATUS, 2) & HAS_CAPABILITIES) == 0) {
      return 0;
    }
    int at = (int) read(CAPABILITIES, 1) & ~3;
    for (int i = 0; i < MOST_CAPABILITIES && at >= FIRST_CAPABILITY; i++) {
      if (read(at, 1) == id) {
        return at;
      }
      at = (int) read(at + 1, 1) & ~3;
    }
    return 0;
  }

  private void require(int offset, int width) {
    if ((width != 1 && width != 2 && width != 4) || offset < 0 || offset > length - width || (offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: configuration access of %d bytes at 0x%x of 0x%x: width must be 1, 2 or 4, aligned".formatted(connection.device(), width, offset, length));
    }
  }
}
