package io.twostep.device.vfio.stream;

import static io.twostep.device.vfio.stream.StreamLayout.HEADER;
import static io.twostep.device.vfio.stream.StreamLayout.MAX_PAYLOAD;
import static io.twostep.device.vfio.stream.StreamLayout.MAX_PREAMBLE;
import static io.twostep.device.vfio.stream.StreamLayout.PREAMBLE;
import static io.twostep.device.vfio.stream.StreamLayout.TRAILER;

import io.twostep.device.vfio.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Reads a stream of records that arrives in slices cut anywhere, and passes on what was found to be as it was written.
 *
 * <p>A payload is passed on once its checksum was seen to be right, the end once the sum of the whole stream was. After a failure, its own or the handler's, it takes nothing more. Sets aside memory
 * for one record of the largest kind. Used by one thread.
 */
public final class RecordParser {
  /** What the bytes that are gathered will be. */
  private enum Part {
    PREAMBLE_START,
    PREAMBLE_REST,
    RECORD_HEADER,
    PAYLOAD,
    NOTHING
  }

  private final RecordHandler handler;
  private final StreamDigest digest = new StreamDigest();
  private final ByteBuffer gathered;
  private Part part = Part.PREAMBLE_START;
  private int needed = PREAMBLE;
  private int sequence;
  private int tag;
  private boolean skipped;
  private boolean failed;
  private boolean ended;

  /** Create a parser at the beginning of a stream. */
  public RecordParser(RecordHandler handler) {
    this(handler, MAX_PAYLOAD);
  }

  /**
   * Create a parser of a stream of short records.
   *
   * @param maxPayload longest payload that is taken, bytes; a longer one is refused
   */
  public RecordParser(RecordHandler handler, int maxPayload) {
    this.handler = handler;
    gathered = ByteBuffer.allocate(Math.max(Math.min(maxPayload, MAX_PAYLOAD) + TRAILER, MAX_PREAMBLE)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Take the next slice of the stream, all of it.
   *
   * @throws StreamException if it is not what was written, or not for this reader
   */
  public void accept(ByteBuffer slice) {
    if (failed) {
      throw new StreamException(Kind.CORRUPT, "the stream failed earlier; nothing more of it is taken");
    }
    failed = true;
    while (slice.hasRemaining()) {
      if (part == Part.NOTHING) {
        throw corrupt(slice.remaining() + " bytes follow the end of the stream");
      }
      int count = Math.min(needed - gathered.position(), slice.remaining());
      gathered.put(gathered.position(), slice, slice.position(), count);
      gathered.position(gathered.position() + count);
      slice.position(slice.position() + count);
      if (gathered.position() == needed) {
        take();
      }
    }
    failed = false;
  }

  /** Tell whether the stream's end was seen and everything was right. */
  public boolean isComplete() {
    return ended && !failed;
  }

  /**
   * Refuse a stream of which nothing more will come, unless it is complete.
   *
   * @throws StreamException TRUNCATED
   */
  public void requireComplete() {
    if (!isComplete()) {
      throw new StreamException(Kind.TRUNCATED, "the stream ends in record " + sequence + ", after " + digest.bytes() + " whole bytes, before its end");
    }
  }

  private void take() {
    switch (part) {
      case PREAMBLE_START -> takePreambleStart();
      case PREAMBLE_REST -> takePreamble();
      case RECORD_HEADER -> takeHeader();
      case PAYLOAD -> takePayload();
      case NOTHING -> throw new IllegalStateException("nothing is gathered after the end");
    }
  }

  private void next(Part next, int length) {
    part = next;
    needed = length;
    gathered.clear();
  }

  private void takePreambleStart() {
    if (gathered.getLong(0) != StreamLayout.MAGIC) {
      throw corrupt("this is no migration stream");
    }
    int length = gathered.getInt(StreamLayout.LENGTH_AT);
    if (length < PREAMBLE || length > MAX_PREAMBLE) {
      throw corrupt("a preamble of " + length + " bytes");
    }
    part = Part.PREAMBLE_REST;
    needed = length;
    if (length == PREAMBLE) {
      takePreamble();
    }
  }

  private void takePreamble() {
    if (gathered.getInt(needed - 4) != digest.crc(gathered, 0, needed - 4)) {
      throw corrupt("the preamble's checksum is wrong");
    }
    int major = Short.toUnsignedInt(gathered.getShort(StreamLayout.MAJOR_AT));
    if (major != StreamLayout.MAJOR) {
      throw new StreamException(Kind.UNSUPPORTED, "the stream is of version " + major + ", this reader of version " + StreamLayout.MAJOR + "; migrate through a version that both know");
    }
    if (needed > PREAMBLE && gathered.getShort(StreamLayout.MINOR_AT) == StreamLayout.MINOR) {
      throw corrupt("a preamble of " + needed + " bytes is not of this version");
    }
    digest.add(gathered, 0, needed);
    handler.begin(gathered.getLong(StreamLayout.SESSION_AT), gathered.getLong(StreamLayout.EPOCH_AT));
    next(Part.RECORD_HEADER, HEADER);
  }

  private void takeHeader() {
    if (gathered.getInt(StreamLayout.CRC_AT) != digest.crc(gathered, 0, StreamLayout.CRC_AT)) {
      throw corrupt("the header's checksum is wrong");
    }
    if (gathered.getInt(StreamLayout.SEQUENCE_AT) != sequence) {
      throw corrupt("the record is number " + Integer.toUnsignedString(gathered.getInt(StreamLayout.SEQUENCE_AT)) + "; records were lost, doubled or exchanged");
    }
    long size = gathered.getLong(0);
    if (size < 0 || size > gathered.capacity() - TRAILER) {
      throw corrupt("a payload of " + Long.toUnsignedString(size) + " bytes is longer than this reader takes, " + (gathered.capacity() - TRAILER));
    }
    int flags = gathered.getInt(StreamLayout.FLAGS_AT);
    tag = gathered.getInt(StreamLayout.TAG_AT);
    skipped = tag != StreamLayout.END_TAG && !handler.knows(tag);
    if ((flags & ~StreamLayout.OPTIONAL) != 0 || (skipped && flags == 0)) {
      throw new StreamException(Kind.UNSUPPORTED, "record " + sequence + " of tag " + tag + " and flags 0x" + Integer.toHexString(flags) + " must be understood, and is not known here");
    }
    if (tag == StreamLayout.END_TAG) {
      requireEnd(size);
    } else {
      digest.add(gathered, 0, HEADER);
    }
    next(Part.PAYLOAD, (int) size + TRAILER);
  }

  private void requireEnd(long size) {
    if (size != StreamLayout.END_PAYLOAD) {
      throw corrupt("an end of " + size + " bytes");
    }
  }

  private void takePayload() {
    int length = needed - TRAILER;
    if (gathered.getInt(length) != digest.crc(gathered, 0, length)) {
      throw corrupt("the payload's checksum is wrong");
    }
    if (tag == StreamLayout.END_TAG) {
      takeEnd();
      return;
    }
    digest.add(gathered, 0, needed);
    if (!skipped) {
      gathered.position(0).limit(length);
      handler.record(tag, gathered);
    }
    sequence++;
    next(Part.RECORD_HEADER, HEADER);
  }

  private void takeEnd() {
    byte[] sum = new byte[StreamLayout.END_PAYLOAD - 16];
    gathered.get(16, sum);
    if (gathered.getLong(0) != sequence || gathered.getLong(8) != digest.bytes() || !Arrays.equals(sum, digest.finish())) {
      throw corrupt("the sum of the whole stream is wrong");
    }
    next(Part.NOTHING, 0);
    handler.end();
    ended = true;
  }

  private StreamException corrupt(String what) {
    return new StreamException(Kind.CORRUPT, "in record " + sequence + ", after " + digest.bytes() + " whole bytes: " + what);
  }
}
