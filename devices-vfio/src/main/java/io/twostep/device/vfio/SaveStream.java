package io.twostep.device.vfio;

import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.buffer.BufferPool;
import io.twostep.device.vfio.buffer.MigrationBuffer;
import io.twostep.device.vfio.buffer.TranslationTable;
import io.twostep.device.vfio.stream.RecordWriter;
import io.twostep.device.vfio.stream.StreamLayout;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.dma.DmaDirection;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;

/**
 * The state of a device as it is read: images one after the other while it runs, the last one when it has stopped, then the end.
 *
 * <p>Used by the thread that uses the device.
 */
public final class SaveStream {
  /** There is nothing to read now, and more will come: the device runs, and nothing of its state changed. */
  public static final int NO_DATA_YET = -2;

  /** Everything was read. */
  public static final int END = -1;

  /** Where the stream stands. */
  private enum State {
    PRE_COPY,
    STOP_COPY,
    COMPLETE,
    ERROR
  }

  private final DeviceCommands commands;
  private final BufferPool pool;
  private final long mostBytes;
  private final RecordWriter writer = new RecordWriter(0, 0);
  private final ByteBuffer staged =
      ByteBuffer.allocate(StreamTags.PART + StreamTags.PART_HEADER + 2 * StreamLayout.OVERHEAD + StreamLayout.PREAMBLE + StreamLayout.END_PAYLOAD).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  private State state;
  private final ArrayDeque<Saved> saved = new ArrayDeque<>();
  private int images;
  private int readOfFirst;

  /** An image that the device saved. */
  private record Saved(MigrationBuffer buffer, int number, int length) {}

  /** Begin a stream; {@code running} if the device still works. */
  SaveStream(DeviceCommands commands, BufferPool pool, long mostBytes, boolean running) {
    this.commands = commands;
    this.pool = pool;
    this.mostBytes = mostBytes;
    state = running ? State.PRE_COPY : State.STOP_COPY;
    staged.clear();
    writer.record(staged, StreamTags.SIZE_ESTIMATE, true, ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, mostBytes));
    staged.flip();
    save(false, running);
  }

  /** Have the device save: one image at a time. */
  private void save(boolean incremental, boolean track) {
    try {
      commands.run("query", Opcode.QUERY, incremental ? Opcode.INCREMENTAL : 0);
      long required = commands.result(0);
      if (required == 0) {
        return;
      }
      requireSize("needs", required, mostBytes);
      // While it runs its state may grow between the question and the answer.
      long room = track ? required + required / 10 + StreamLayout.MAX_PREAMBLE * 4L : required;
      MigrationBuffer buffer = pool.take(DmaDirection.FROM_DEVICE, room);
      try {
        TranslationTable table = buffer.handOver(DmaDirection.FROM_DEVICE, buffer.length());
        commands.run("save", Opcode.SAVE, (incremental ? Opcode.INCREMENTAL : 0) | (track ? Opcode.TRACK : 0), table.dmaAddress(), table.entries(), buffer.length());
        int length = (int) requireSize("saved", commands.result(0), Math.min(buffer.length(), mostBytes));
        buffer.takeOver(length);
        saved.add(new Saved(buffer, ++images, length));
      } catch (RuntimeException e) {
        pool.give(buffer);
        throw e;
      }
    } catch (RuntimeException e) {
      state = State.ERROR;
      throw e;
    }
  }

  private static long requireSize(String what, long bytes, long most) {
    if (bytes <= 0 || bytes > most) {
      throw new MigrationException(Kind.DEVICE, "the device says that it " + what + " " + Long.toUnsignedString(bytes) + " bytes for its state, where " + most + " are the most; reset it");
    }
    return bytes;
  }

  /** The device has stopped: what changed since the last image is the last one. */
  void stop() {
    requireSound();
    save(true, false);
    state = State.STOP_COPY;
  }

  /**
   * Read some bytes, as many as there are and fit.
   *
   * @return how many, more than 0; or {@link #NO_DATA_YET}, or {@link #END}
   * @throws MigrationException if the device failed
   */
  public int read(ByteBuffer target) {
    requireSound();
    if (!staged.hasRemaining() && !stageMore()) {
      return state == State.COMPLETE ? END : NO_DATA_YET;
    }
    int count = Math.min(staged.remaining(), target.remaining());
    target.put(target.position(), staged, staged.position(), count);
    target.position(target.position() + count);
    staged.position(staged.position() + count);
    return count;
  }

  private boolean stageMore() {
    Saved next = saved.peek();
    if (next != null) {
      stagePart(next);
      return true;
    }
    if (state == State.STOP_COPY) {
      staged.clear();
      writer.end(staged);
      staged.flip();
      state = State.COMPLETE;
      return true;
    }
    return false;
  }

  private void stagePart(Saved image) {
    int count = Math.min(StreamTags.PART, image.length - readOfFirst);
    staged.clear();
    int start = writer.begin(staged, StreamTags.IMAGE_PART, false, StreamTags.PART_HEADER + count);
    staged.putInt(image.number).putInt(image.length).putInt(readOfFirst).putInt(0);
    image.buffer.read(readOfFirst, MemorySegment.ofBuffer(staged), 0, count);
    staged.position(staged.position() + count);
    writer.finish(staged, start);
    staged.flip();
    readOfFirst += count;
    if (readOfFirst == image.length) {
      readOfFirst = 0;
      saved.remove();
      pool.give(image.buffer);
    }
  }

  /** Return the bytes of the first image that are still to be read; 0 once and for all when it was read. */
  public long initialBytes() {
    Saved first = saved.peek();
    return first != null && first.number == 1 ? first.length - readOfFirst : 0;
  }

  /**
   * Return the bytes of later images that are still to be read, after having the device save what changed if there are none; only while it runs.
   *
   * @throws MigrationException REFUSED once it has stopped, DEVICE if it fails to save
   */
  public long dirtyBytes() {
    requireSound();
    if (state != State.PRE_COPY) {
      throw new MigrationException(Kind.REFUSED, "what changes is asked for while the device runs");
    }
    if (saved.isEmpty()) {
      save(true, true);
    }
    long all = -readOfFirst;
    for (Saved image : saved) {
      all += image.length;
    }
    return all - initialBytes();
  }

  private void requireSound() {
    if (state == State.ERROR) {
      throw new MigrationException(Kind.DEVICE, "saving failed; the stream is of no use");
    }
  }

  /** Let go of what was not read. */
  void close() {
    saved.forEach(image -> pool.give(image.buffer));
    saved.clear();
    staged.limit(staged.position());
    state = State.ERROR;
  }
}
