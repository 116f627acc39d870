package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Keeps what a destination received where it outlives the destination's machine, so that a guest whose commit is recorded can be started from it at any later time. */
public interface Spool {
  /** Keeps nothing: a destination whose machine is lost after the commit has lost the guest. */
  Spool NONE =
      new Spool() {
        @Override
        public void append(ByteBuffer bytes) {}

        @Override
        public void force() {}
      };

  /** Append bytes; the buffer is as before afterwards. */
  void append(ByteBuffer bytes) throws IOException;

  /** Make everything appended durable before this returns. */
  void force() throws IOException;
}
