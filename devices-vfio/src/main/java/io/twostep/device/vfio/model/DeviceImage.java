package io.twostep.device.vfio.model;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * The state of a device as bytes: everything but pages of its own memory that did not change, where that is asked for.
 *
 * <pre>
 * 0        8         12       16       20     24         32           ...
 * +--------+---------+--------+--------+------+----------+--------+---------------------------+
 * | magic  | version | length | pages  | crc  | mailbox  | engine | pages: number u32, bytes  |
 * +--------+---------+--------+--------+------+----------+--------+---------------------------+
 * </pre>
 */
final class DeviceImage {
  private static final long MAGIC = 0x4547_414d_4956_4544L;
  private static final int VERSION = 1;
  private static final int HEADER = 32;
  private static final int LENGTH_AT = 12;
  private static final int CRC_AT = 20;
  private static final int PAGE = Integer.BYTES + InternalMemory.PAGE;

  private final CopyEngine engine;
  private final InternalMemory internal;

  DeviceImage(CopyEngine engine, InternalMemory internal) {
    this.engine = engine;
    this.internal = internal;
  }

  static int mostBytes(ModelConfig config) {
    return HEADER + CopyEngine.mostImageBytes(config) + config.internalPages() * PAGE;
  }

  int bytes(boolean incremental) {
    return HEADER + engine.imageBytes() + internal.pagesOf(incremental) * PAGE;
  }

  byte[] save(boolean incremental, long mailbox) {
    ByteBuffer image = ByteBuffer.allocate(bytes(incremental)).order(ByteOrder.LITTLE_ENDIAN);
    image.putLong(MAGIC).putInt(VERSION).putInt(image.capacity()).putInt(internal.pagesOf(incremental)).putInt(0).putLong(mailbox);
    engine.save(image);
    internal.save(image, incremental);
    image.putInt(CRC_AT, crc(image.array()));
    return image.array();
  }

  /**
   * Take over the state of an image and return the mailbox.
   *
   * @throws IllegalArgumentException if it is damaged, of another kind of device or of a state that no device can be in; what was there is lost then, and the device is as after a reset
   */
  long load(byte[] bytes) {
    ByteBuffer image = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.length < HEADER || image.getLong() != MAGIC || image.getInt() != VERSION || image.getInt(LENGTH_AT) != bytes.length) {
      throw new IllegalArgumentException("not an image of such a device");
    }
    int crc = image.getInt(CRC_AT);
    image.putInt(CRC_AT, 0);
    if (crc != crc(bytes)) {
      throw new IllegalArgumentException("a damaged image");
    }
    try {
      return loadState(image);
    } catch (IllegalArgumentException e) {
      engine.reset();
      internal.reset();
      throw e;
    }
  }

  private long loadState(ByteBuffer image) {
    image.getInt();
    int pages = image.getInt();
    image.getInt();
    long mailbox = image.getLong();
    engine.load(image);
    if (image.remaining() != (long) pages * PAGE) {
      throw new IllegalArgumentException("an image of " + pages + " pages has " + image.remaining() + " bytes of them");
    }
    for (int i = 0; i < pages; i++) {
      int page = image.getInt();
      if (page < 0 || page >= internal.pages()) {
        throw new IllegalArgumentException("page " + page + " is not of this device");
      }
      internal.load(image, page);
    }
    return mailbox;
  }

  private static int crc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }
}
