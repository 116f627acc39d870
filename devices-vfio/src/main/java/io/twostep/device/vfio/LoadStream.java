package io.twostep.device.vfio;

import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.buffer.BufferPool;
import io.twostep.device.vfio.buffer.MigrationBuffer;
import io.twostep.device.vfio.buffer.TranslationTable;
import io.twostep.device.vfio.stream.RecordHandler;
import io.twostep.device.vfio.stream.RecordParser;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.dma.DmaDirection;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The state of a device as it is written: in slices cut anywhere. An image is loaded when all of it is there; the whole is accepted when its end is.
 *
 * <p>Used by the thread that uses the device.
 */
public final class LoadStream {
  private final DeviceCommands commands;
  private final BufferPool pool;
  private final long mostBytes;
  private final RecordParser parser = new RecordParser(new Records(), StreamTags.PART + StreamTags.PART_HEADER);
  private @Nullable MigrationBuffer buffer;
  private int image;
  private int imageLength;
  private int written;
  private int loaded;

  LoadStream(DeviceCommands commands, BufferPool pool, long mostBytes) {
    this.commands = commands;
    this.pool = pool;
    this.mostBytes = mostBytes;
  }

  /**
   * Take the next slice, all of it.
   *
   * @throws StreamException if it is not what was written, or not for this reader; the device can only be reset then
   * @throws MigrationException if the device refuses an image; it can only be reset then
   */
  public void write(ByteBuffer slice) {
    parser.accept(slice);
  }

  /** Return how many images were loaded. */
  public int loaded() {
    return loaded;
  }

  /** Refuse a state that did not arrive whole. */
  void requireComplete() {
    parser.requireComplete();
    if (loaded == 0) {
      throw new MigrationException(Kind.DATA, "the stream holds no image");
    }
  }

  void close() {
    if (buffer != null) {
      pool.give(buffer);
      buffer = null;
    }
  }

  private final class Records implements RecordHandler {
    @Override
    public void begin(long session, long epoch) {}

    @Override
    public boolean knows(int tag) {
      return tag == StreamTags.IMAGE_PART || tag == StreamTags.SIZE_ESTIMATE;
    }

    @Override
    public void record(int tag, ByteBuffer payload) {
      if (tag == StreamTags.SIZE_ESTIMATE) {
        prepare(payload);
      } else {
        part(payload);
      }
    }

    @Override
    public void end() {
      if (written != imageLength) {
        throw new MigrationException(Kind.DATA, "the stream ends within image " + image);
      }
    }
  }

  private void prepare(ByteBuffer payload) {
    if (payload.remaining() == Long.BYTES && buffer == null) {
      buffer = pool.take(DmaDirection.TO_DEVICE, Math.clamp(payload.getLong(), 1, mostBytes));
    }
  }

  private void part(ByteBuffer payload) {
    if (payload.remaining() < StreamTags.PART_HEADER) {
      throw new MigrationException(Kind.DATA, "a part of an image has " + payload.remaining() + " bytes");
    }
    int number = payload.getInt();
    int length = payload.getInt();
    int offset = payload.getInt();
    payload.getInt();
    if (written == imageLength) {
      begin(number, length);
    }
    int count = payload.remaining();
    if (number != image || length != imageLength || offset != written || count > imageLength - written || buffer == null) {
      throw new MigrationException(Kind.DATA, "part at " + offset + " of image " + number + " does not follow byte " + written + " of image " + image);
    }
    buffer.write(written, MemorySegment.ofBuffer(payload), 0, count);
    written += count;
    if (written == imageLength) {
      load(buffer);
    }
  }

  private void begin(int number, int length) {
    if (length <= 0 || length > mostBytes) {
      throw new MigrationException(Kind.DATA, "an image of " + length + " bytes is larger than the device takes, " + mostBytes);
    }
    image = number;
    imageLength = length;
    written = 0;
    if (buffer == null) {
      buffer = pool.take(DmaDirection.TO_DEVICE, length);
    } else {
      buffer.grow(length);
    }
  }

  private void load(MigrationBuffer whole) {
    TranslationTable table = whole.handOver(DmaDirection.TO_DEVICE, imageLength);
    commands.run("load", Opcode.LOAD, 0, table.dmaAddress(), table.entries(), imageLength);
    loaded++;
  }
}
