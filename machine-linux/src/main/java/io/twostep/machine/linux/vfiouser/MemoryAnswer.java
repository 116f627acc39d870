package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DmaAccess;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.lang.foreign.MemorySegment;

/** Does a server's DMA_READ or DMA_WRITE to memory that it was given without a descriptor. */
record MemoryAnswer(Connection.Target memory, int transfer) {
  /** Do the access and build its reply in {@code reply}; returns the reply's bytes, or a negated error number. */
  int answer(Message message, MemorySegment reply) {
    boolean isRead = message.header().command() == Command.DMA_READ;
    MemorySegment asked = message.body();
    try {
      if (isRead) {
        DmaAccess.require(message.length());
      } else {
        DmaAccess.requireData(asked, message.length());
      }
    } catch (ProtocolException e) {
      return -e.errno();
    }
    long iova = DmaAccess.iova(asked);
    long count = DmaAccess.count(asked);
    if (count <= 0 || count > transfer) {
      return -Errno.EINVAL;
    }
    DmaAccess.write(reply, iova, count);
    int errno = isRead ? memory.read(iova, reply, DmaAccess.SIZE, count) : memory.write(iova, asked, DmaAccess.SIZE, count);
    if (errno != 0) {
      return -errno;
    }
    return isRead ? DmaAccess.SIZE + (int) count : DmaAccess.SIZE;
  }
}
