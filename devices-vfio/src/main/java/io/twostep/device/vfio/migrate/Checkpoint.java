package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Keeps a guest at its source where it outlives the source's machine, so that {@link Recovery} can start it there again.
 *
 * <p>A checkpoint is the stream that a source sends, to its end. What was published last is what counts; the next one grows beside it. Every call may be repeated after it failed.
 */
public interface Checkpoint {
  /** Keeps nothing: a guest whose source loses its machine starts again from wherever its owner has it. */
  Checkpoint NONE =
      new Checkpoint() {
        @Override
        public void append(ByteBuffer bytes) {}

        @Override
        public void force() {}

        @Override
        public void publish() {}
      };

  /** Append bytes, all or none; the buffer is as before afterwards. */
  void append(ByteBuffer bytes) throws IOException;

  /** Make what was appended durable, so that less is left to do when it is published. */
  void force() throws IOException;

  /** Let what was appended, now whole, take the place of what was published before. It is durable when this returns; after a crash it is the one or the other. */
  void publish() throws IOException;
}
