package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.DeviceInfo;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.protocol.Version;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A server that answers as one should, but for what a test has it do instead. Serves one client, then hangs up.
 *
 * <p>Its clock is the client's too: who lets time run away has not answered in time.
 */
final class ScriptedServer implements AutoCloseable {
  /** What to do with a command instead of answering it well. */
  interface Answer {
    void to(Message message, Wire wire);
  }

  private final Kernel kernel = Kernel.host();
  private final AtomicLong leap = new AtomicLong();
  private final Map<Integer, Answer> answers = new HashMap<>();
  private final Descriptor listener = kernel.socket("scripted server");
  private CompletableFuture<Void> done = CompletableFuture.completedFuture(null);
  private final CountDownLatch gone = new CountDownLatch(1);
  private volatile boolean closed;

  ScriptedServer(Path path) {
    kernel.bind(listener, path.toString());
    kernel.listen(listener, 1);
  }

  ScriptedServer on(int command, Answer answer) {
    answers.put(command, answer);
    return this;
  }

  ScriptedServer start() {
    done = CompletableFuture.runAsync(this::serve, task -> Thread.ofPlatform().name("scripted server").start(task));
    return this;
  }

  long nanoTime() {
    return System.nanoTime() + leap.get();
  }

  void letTimeRunAway() {
    leap.addAndGet(60_000_000_000L);
  }

  /** Wait until the server has hung up. */
  void awaitGone() throws InterruptedException {
    gone.await();
  }

  /** What a server can put on the wire. */
  final class Wire {
    private final MessageSocket socket;

    private Wire(MessageSocket socket) {
      this.socket = socket;
    }

    MemorySegment payload() {
      return socket.outgoing();
    }

    void reply(Message to, int payload, Descriptor... passed) {
      send(to.header().id(), to.header().command(), Header.REPLY, 0, payload, passed);
    }

    void refuse(Message to, int errno) {
      send(to.header().id(), to.header().command(), Header.REPLY | Header.ERROR, errno, 0);
    }

    void send(int id, int command, int flags, int errno, int payload, Descriptor... passed) {
      socket.send(id, command, flags, errno, payload, List.of(passed), System.nanoTime() + 10_000_000_000L);
    }

    /** Send bytes that may be no message. */
    void raw(MemorySegment bytes, Descriptor... passed) {
      kernel.sendMessage(socket.descriptor(), bytes, 0, bytes.byteSize(), List.of(passed));
    }

    void hangUp() {
      throw new ConnectionException("was told to hang up");
    }

    Message receive() {
      return socket.receive(System.nanoTime() + 10_000_000_000L);
    }

    void forget(Message message) {
      socket.closeAll(message.descriptors());
    }
  }

  private void serve() {
    try {
      Descriptor client = accept();
      if (client != null) {
        try (MessageSocket socket = new MessageSocket(kernel, client, System::nanoTime, 1 << 20, 16)) {
          serve(socket);
        }
      }
    } finally {
      gone.countDown();
    }
  }

  private Descriptor accept() {
    while (!closed) {
      kernel.poll(listener, PollEvents.READABLE, 20_000_000);
      try {
        return kernel.accept(listener, "client");
      } catch (SystemCallException e) {
        // Not yet.
      }
    }
    return null;
  }

  private void serve(MessageSocket socket) {
    Wire wire = new Wire(socket);
    try {
      while (!closed) {
        Message message = socket.receive(System.nanoTime() + 20_000_000);
        if (message != null) {
          answers.getOrDefault(message.header().command(), ScriptedServer::answerWell).to(message.copy(), wire);
          socket.closeAll(message.descriptors());
        }
      }
    } catch (ConnectionException e) {
      // The client left, or is left.
    }
  }

  static void answerWell(Message message, Wire wire) {
    MemorySegment out = wire.payload();
    int payload =
        switch (message.header().command()) {
          case Command.VERSION -> new Version(0, 1, Capabilities.DEFAULT).write(out);
          case Command.DEVICE_GET_INFO -> {
            new DeviceInfo(3, RegionIndex.COUNT, InterruptInfo.KINDS).write(out);
            yield DeviceInfo.SIZE;
          }
          case Command.DEVICE_GET_REGION_INFO -> region(RegionInfo.readIndex(message.payload())).write(out, 4096);
          case Command.DEVICE_GET_IRQ_INFO -> {
            new InterruptInfo(1, InterruptInfo.read(message.payload()).index(), 2).write(out);
            yield InterruptInfo.SIZE;
          }
          case Command.REGION_READ -> {
            int count = RegionAccess.count(message.body());
            MemorySegment.copy(message.body(), 0, out, 0, RegionAccess.SIZE);
            out.asSlice(RegionAccess.SIZE, count).fill((byte) 0);
            yield RegionAccess.SIZE + count;
          }
          case Command.REGION_WRITE -> {
            MemorySegment.copy(message.body(), 0, out, 0, RegionAccess.SIZE);
            yield RegionAccess.SIZE;
          }
          case Command.DMA_UNMAP -> {
            MemorySegment.copy(message.payload(), 0, out, 0, 24);
            yield 24;
          }
          default -> 0;
        };
    if (message.header().wantsReply()) {
      wire.reply(message, payload);
    }
  }

  private static RegionInfo region(int index) {
    return switch (index) {
      case 0 -> new RegionInfo(3, 0, 0x2000, 0, List.of());
      case RegionIndex.CONFIG -> new RegionInfo(3, RegionIndex.CONFIG, 4096, 0, List.of());
      default -> RegionInfo.none(index);
    };
  }

  @Override
  public void close() {
    closed = true;
    done.join();
    kernel.close(listener);
  }
}
