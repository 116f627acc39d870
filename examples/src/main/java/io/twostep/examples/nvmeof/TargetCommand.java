package io.twostep.examples.nvmeof;

import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeException;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.NvmeQueue;
import io.twostep.device.rdma.HcaException;
import io.twostep.device.rdma.rw.RangeSlice;
import io.twostep.device.rdma.rw.RwContext;
import io.twostep.device.rdma.rw.RwOperation;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaMappingException;
import io.twostep.examples.fabric.RdmaHost;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One of the commands that a target has room for, and where its data waits. Goes on as far as it can whenever it is asked to, and never waits. What fails of it is its own answer and nobody else's; a connection that was lost
 * lets go of it without one.
 *
 * <pre>
 * FREE -> TO_FETCH -> FETCHING -> STORING -+-> TO_ANSWER -> ANSWERING -> FREE
 *    \---------------------> LOADING ------/
 * </pre>
 */
final class TargetCommand implements AutoCloseable {
  private static final long SILENT = -1;

  private enum State {
    FREE,
    TO_FETCH,
    FETCHING,
    STORING,
    LOADING,
    TO_ANSWER,
    ANSWERING
  }

  private final int index;
  private final RdmaHost host;
  private final NvmeNamespace namespace;
  private final RwContext transfer;
  private final DataBuffer buffer;
  private final RangeSlice data;
  private final NvmeBio bio = new NvmeBio();
  private State state = State.FREE;
  private RdmaHost.@Nullable Received message;
  private @Nullable CommandCapsule command;
  private @Nullable NvmeQueue queue;

  /** What the answer will say. */
  private int id;

  private int status;

  /** Whether what was loaded is to be delivered in front of the answer. */
  private boolean delivers;

  private long hostDataBytes;

  /**
   * Make room for a command.
   *
   * @param index of its receive, of its buffer for the answer, and the id of what it posts
   */
  TargetCommand(int index, RdmaHost host, NvmeNamespace namespace, RwContext transfer, DataBuffer buffer) {
    this.index = index;
    this.host = host;
    this.namespace = namespace;
    this.transfer = transfer;
    this.buffer = buffer;
    data = new RangeSlice(buffer.ranges());
  }

  /** Tell whether there is nothing to do. */
  boolean isFree() {
    return state == State.FREE && message == null;
  }

  /** Return the bytes of commands' data that devices moved to and from host memory. */
  long hostDataBytes() {
    return hostDataBytes;
  }

  /** Take a message; a command that is being answered makes it wait. */
  void take(RdmaHost.Received arrived) {
    message = arrived;
  }

  /** Go on; returns how a request that the connection was to carry failed, or null. */
  @Nullable CompletionStatus advance() {
    return switch (state) {
      case FREE -> {
        if (message != null) {
          begin(host.message(message));
          message = null;
        }
        yield null;
      }
      case TO_FETCH -> {
        if (transfer.post(index, SILENT)) {
          state = State.FETCHING;
        }
        yield null;
      }
      case FETCHING -> fetched(host.tryEnded(index));
      case STORING, LOADING -> {
        Objects.requireNonNull(queue).poll();
        if (bio.isDone()) {
          moved();
        }
        yield null;
      }
      case TO_ANSWER -> {
        answer();
        yield null;
      }
      case ANSWERING -> answered(host.tryEnded(index));
    };
  }

  private void begin(ByteBuffer bytes) {
    command = null;
    id = CommandCapsule.id(bytes);
    try {
      CommandCapsule read = CommandCapsule.read(bytes);
      command = read;
      int refusal = refusal(read);
      if (refusal != 0) {
        end(refusal);
      } else if (read.opcode() == CommandCapsule.WRITE) {
        data.of(0, read.length());
        transfer.prepareVector(RwOperation.READ, data, read.key(), read.address());
        state = State.TO_FETCH;
      } else {
        data.of(0, read.length());
        submit(read, State.LOADING);
      }
    } catch (IllegalArgumentException e) {
      end(ResponseCapsule.INVALID_FIELD);
    } catch (DmaMappingException | HcaException e) {
      end(ResponseCapsule.INTERNAL_ERROR);
    } catch (NvmeException e) {
      end(e.status());
    }
  }

  private int refusal(CommandCapsule read) {
    int bytes = read.blocks() * NvmeTarget.BLOCK;
    if (bytes > NvmeTarget.MOST || bytes != read.length()) {
      return ResponseCapsule.INVALID_FIELD;
    }
    return read.lba() < 0 || read.lba() > namespace.blocks() - read.blocks() ? ResponseCapsule.OUT_OF_RANGE : 0;
  }

  private void submit(CommandCapsule read, State next) {
    if (read.opcode() == CommandCapsule.WRITE) {
      bio.write(namespace, read.lba(), read.blocks(), data);
    } else {
      bio.read(namespace, read.lba(), read.blocks(), data);
    }
    queue = namespace.submit(bio);
    state = next;
  }

  private @Nullable CompletionStatus fetched(@Nullable CompletionStatus ended) {
    if (ended == null) {
      return null;
    }
    transfer.ended(ended);
    transfer.destroy();
    if (ended != CompletionStatus.SUCCESS) {
      state = State.FREE;
      return ended;
    }
    try {
      submit(Objects.requireNonNull(command), State.STORING);
    } catch (DmaMappingException e) {
      end(ResponseCapsule.INTERNAL_ERROR);
    } catch (NvmeException e) {
      end(e.status());
    }
    return null;
  }

  /** Take note that the controller has done its part. */
  private void moved() {
    RuntimeException failure = bio.failure();
    if (failure != null) {
      end(failure instanceof NvmeException of ? of.status() : ResponseCapsule.INTERNAL_ERROR);
      return;
    }
    CommandCapsule read = Objects.requireNonNull(command);
    if (state == State.LOADING) {
      try {
        transfer.prepareVector(RwOperation.WRITE, data, read.key(), read.address());
        delivers = true;
      } catch (DmaMappingException | HcaException e) {
        end(ResponseCapsule.INTERNAL_ERROR);
        return;
      }
    }
    hostDataBytes += buffer.isPeer() ? 0 : 2L * read.length();
    end(0);
  }

  private void end(int with) {
    status = with;
    state = State.TO_ANSWER;
  }

  /** Post the answer, what it delivers in front of it, and the receive of the next command; all or nothing. */
  private void answer() {
    if (host.pair().room() <= (delivers ? transfer.workRequests() : 0)) {
      return;
    }
    if (delivers && !transfer.postSilently(SILENT)) {
      throw new IllegalStateException("a transfer of " + transfer.workRequests() + " work requests finds no room where there was some");
    }
    host.postReceive(index);
    ByteBuffer out = host.outgoing(index);
    new ResponseCapsule(id, status).write(out);
    if (!host.trySend(index, index, out.position())) {
      throw new IllegalStateException("an answer finds no room where there was some");
    }
    state = State.ANSWERING;
  }

  private @Nullable CompletionStatus answered(@Nullable CompletionStatus ended) {
    if (ended == null) {
      return null;
    }
    if (delivers) {
      delivers = false;
      transfer.ended(ended);
      transfer.destroy();
    }
    state = State.FREE;
    return ended == CompletionStatus.SUCCESS ? null : ended;
  }

  /** Give its memory back; it is free, or the connection is closed. */
  @Override
  public void close() {
    transfer.close();
    buffer.release();
  }
}
