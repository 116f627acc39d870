package io.twostep.device.vfio.stream;

import java.nio.ByteBuffer;

/** Receives what a {@link RecordParser} found to be as it was written. */
public interface RecordHandler {
  /** Take the stream's session and epoch; the first call. Throw to refuse the stream. */
  void begin(long session, long epoch);

  /** Tell whether a tag is known; unknown optional records are skipped, unknown mandatory ones refused. */
  boolean knows(int tag);

  /** Take a record's payload, little-endian; it is the parser's again when this returns. */
  void record(int tag, ByteBuffer payload);

  /** Take notice that the stream is complete, and equal byte by byte to what was written. */
  void end();
}
