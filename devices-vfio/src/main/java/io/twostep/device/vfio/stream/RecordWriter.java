package io.twostep.device.vfio.stream;

import static io.twostep.device.vfio.stream.StreamLayout.HEADER;
import static io.twostep.device.vfio.stream.StreamLayout.OVERHEAD;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Writes a stream of records into buffers that the caller drains. Used by one thread.
 *
 * <p>Buffers are little-endian. A call that finds too little room throws {@link java.nio.BufferOverflowException} or {@link IndexOutOfBoundsException} and must not be
 * repeated: ask {@link #fits} first.
 */
public final class RecordWriter {
  private final StreamDigest digest = new StreamDigest();
  private final long session;
  private final long epoch;
  private int sequence;
  private boolean begun;
  private boolean ended;

  /**
   * Create a writer.
   *
   * @param session what the stream belongs to
   * @param epoch the fence under which it was begun
   */
  public RecordWriter(long session, long epoch) {
    this.session = session;
    this.epoch = epoch;
  }

  /** Tell whether a record of a payload of {@code length} bytes fits, with the preamble if that is still to come. */
  public boolean fits(ByteBuffer out, int length) {
    return out.remaining() >= OVERHEAD + length + (begun ? 0 : StreamLayout.PREAMBLE);
  }

  /** Write a record that holds what remains in {@code payload}, which is consumed. */
  public void record(ByteBuffer out, int tag, boolean optional, ByteBuffer payload) {
    int start = begin(out, tag, optional, payload.remaining());
    out.put(payload);
    finish(out, start);
  }

  /**
   * Begin a record of which the caller puts the payload into {@code out}, exactly {@code length} bytes, and then calls {@link #finish}.
   *
   * @return what finish is to be given
   * @throws IllegalArgumentException for a payload longer than {@link StreamLayout#MAX_PAYLOAD}
   * @throws IllegalStateException after {@link #end}
   */
  public int begin(ByteBuffer out, int tag, boolean optional, int length) {
    if (ended) {
      throw new IllegalStateException("the stream has ended");
    }
    if (length < 0 || length > StreamLayout.MAX_PAYLOAD) {
      throw new IllegalArgumentException("a record's payload of " + length + " bytes is not from 0 to " + StreamLayout.MAX_PAYLOAD);
    }
    out.order(ByteOrder.LITTLE_ENDIAN);
    if (!begun) {
      begun = true;
      preamble(out);
    }
    int start = out.position();
    out.putLong(length).putInt(optional ? StreamLayout.OPTIONAL : 0).putInt(tag).putInt(sequence++);
    out.putInt(digest.crc(out, start, out.position()));
    return start;
  }

  /** Finish the record that {@link #begin} began at {@code start}. */
  public void finish(ByteBuffer out, int start) {
    if (out.position() - start - HEADER != out.getLong(start)) {
      throw new IllegalStateException((out.position() - start - HEADER) + " bytes were put into a record of " + out.getLong(start));
    }
    out.putInt(digest.crc(out, start + HEADER, out.position()));
    digest.add(out, start, out.position());
  }

  private void preamble(ByteBuffer out) {
    int start = out.position();
    out.putLong(StreamLayout.MAGIC).putShort((short) StreamLayout.MAJOR).putShort((short) StreamLayout.MINOR).putInt(StreamLayout.PREAMBLE);
    out.putLong(session).putLong(epoch).putInt(0);
    out.putInt(digest.crc(out, start, out.position()));
    digest.add(out, start, out.position());
  }

  /** Write the END record; nothing may follow. */
  public void end(ByteBuffer out) {
    int records = sequence;
    int start = begin(out, StreamLayout.END_TAG, false, StreamLayout.END_PAYLOAD);
    ended = true;
    out.putLong(records).putLong(digest.bytes()).put(digest.finish());
    out.putInt(digest.crc(out, start + HEADER, out.position()));
  }
}
