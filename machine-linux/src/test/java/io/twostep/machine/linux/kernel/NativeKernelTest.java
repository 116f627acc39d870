package io.twostep.machine.linux.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real kernel, as far as anybody may use it. */
class NativeKernelTest {
  private final Kernel kernel = Kernel.host();
  @TempDir Path folder;

  @Test
  void failureNamesPathCallErrorAndRemedy() {
    assertThatThrownBy(() -> kernel.open("/nowhere/at-all", OpenFlags.READ_ONLY))
        .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT))
        .hasMessage(
            "/nowhere/at-all: open failed: ENOENT (no such file); check the path, and that the kernel module that makes it is loaded");
  }

  @Test
  void requestThatTheFileDoesNotKnowIsRefusedByItsName() throws Exception {
    Path file = Files.writeString(folder.resolve("f"), "text");
    Descriptor fd = kernel.open(file.toString(), OpenFlags.READ_ONLY);
    try {
      assertThatThrownBy(() -> kernel.ioctl(fd, new IoctlRequest("VFIO_GET_API_VERSION", 0x3b64), 0))
          .hasMessageContaining("VFIO_GET_API_VERSION")
          .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOTTY));
    } finally {
      kernel.close(fd);
    }
    assertThatThrownBy(() -> kernel.close(fd)).hasMessageContaining("EBADF");
  }

  @Test
  void bytesWrittenAtAnOffsetAreReadThere() throws Exception {
    Path file = Files.createFile(folder.resolve("f"));
    Descriptor fd = kernel.open(file.toString(), OpenFlags.READ_WRITE);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocateFrom("abc");
      assertThat(kernel.pwrite(fd, text, 5)).isEqualTo(4);
      assertThat(kernel.size(fd)).isEqualTo(9);
      MemorySegment back = arena.allocate(8);
      assertThat(kernel.pread(fd, back, 6)).isEqualTo(3);
      assertThat(back.getString(0)).isEqualTo("bc");
      assertThat(kernel.pread(fd, back, 9)).isZero();
    } finally {
      kernel.close(fd);
    }
  }

  @Test
  void memoryFileIsSharedByItsMappings() {
    Descriptor file = kernel.memfd("two views", 0);
    kernel.truncate(file, kernel.pageSize());
    MemorySegment one = map(file);
    MemorySegment two = map(file);
    one.set(ValueLayout.JAVA_LONG, 8, 42);
    assertThat(two.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(42);
    kernel.munmap(one);
    assertThat(two.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(42);
    kernel.munmap(two);
    kernel.close(file);
  }

  @Test
  void eventIsReadyOnceSignalledAndWouldBlockOnceTaken() {
    Descriptor event = kernel.eventfd("event");
    short[] ready = new short[1];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(8, 8);
      assertThat(kernel.poll(List.of(event), new short[] {PollEvents.READABLE}, ready, 0)).isZero();
      count.set(ValueLayout.JAVA_LONG, 0, 3);
      kernel.write(event, count);
      assertThat(kernel.poll(List.of(event), new short[] {PollEvents.READABLE}, ready, -1)).isEqualTo(1);
      assertThat(ready[0]).isEqualTo(PollEvents.READABLE);
      count.set(ValueLayout.JAVA_LONG, 0, 0);
      assertThat(kernel.read(event, count)).isEqualTo(8);
      assertThat(count.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(3);
      assertThat(kernel.read(event, count)).isEqualTo(-1);
    }
    kernel.close(event);
  }

  @Test
  void setTellsOfEverySignalOnceAndOfNothingThatWasTakenOut() {
    Descriptor set = kernel.epoll("set");
    Descriptor[] events = new Descriptor[20];
    long[] tokens = new long[64];
    for (int i = 0; i < events.length; i++) {
      events[i] = kernel.eventfd("event " + i);
      kernel.epollAdd(set, events[i], EpollEvents.READABLE | EpollEvents.EDGE | EpollEvents.EXCLUSIVE, 0x1122334400000000L + i);
    }
    assertThat(kernel.epollWait(set, tokens, 0)).isZero();
    for (int round = 0; round < 3; round++) {
      for (Descriptor event : events) {
        signal(event);
        signal(event);
      }
      List<Long> told = new ArrayList<>();
      for (int count = kernel.epollWait(set, tokens, -1); count != 0; count = kernel.epollWait(set, tokens, 0)) {
        Arrays.stream(tokens, 0, count).forEach(told::add);
      }
      assertThat(told).as("nothing was read").containsExactlyInAnyOrderElementsOf(LongStream.range(0, events.length).mapToObj(i -> 0x1122334400000000L + i).toList());
    }
    kernel.epollRemove(set, events[3]);
    signal(events[3]);
    signal(events[4]);
    assertThat(kernel.epollWait(set, tokens, 1)).isEqualTo(1);
    assertThat(tokens[0]).isEqualTo(0x1122334400000004L);
    assertThat(kernel.epollWait(set, tokens, 1)).isZero();
    Arrays.stream(events).forEach(kernel::close);
    kernel.close(set);
  }

  private void signal(Descriptor event) {
    try (Arena arena = Arena.ofConfined()) {
      kernel.write(event, arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
    }
  }

  @Test
  void descriptorsTravelThroughASocket() {
    String path = folder.resolve("s").toString();
    Descriptor listener = kernel.socket("listener");
    kernel.bind(listener, path);
    kernel.listen(listener, 1);
    Descriptor client = kernel.socket("client");
    kernel.connect(client, path);
    Descriptor server = kernel.accept(listener, "server");
    Descriptor file = kernel.memfd("passed", 0);
    kernel.truncate(file, 12345);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(16);
      assertThat(kernel.sendMessage(client, arena.allocateFrom("<hello"), 1, 6, List.of(file, client))).isEqualTo(6);
      PassedDescriptors passed = new PassedDescriptors("passed", 8);
      assertThat(kernel.receiveMessage(server, text, 4, 12, passed)).isEqualTo(6);
      assertThat(text.getString(4)).isEqualTo("hello");
      assertThat(passed.isTruncated()).isFalse();
      List<Descriptor> came = passed.taken();
      assertThat(came).hasSize(2);
      assertThat(kernel.size(came.getFirst())).isEqualTo(12345);

      kernel.sendMessage(client, arena.allocateFrom("x"), 0, 2, List.of(file, file));
      PassedDescriptors one = new PassedDescriptors("passed", 1);
      assertThat(kernel.receiveMessage(server, text, 0, 16, one)).isEqualTo(2);
      assertThat(one.isTruncated()).isTrue();
      assertThat(one.taken()).hasSize(1);
      one.taken().forEach(kernel::close);
      kernel.sendMessage(client, arena.allocateFrom("y"), 0, 2, List.of());
      assertThat(kernel.receiveMessage(server, text, 0, 16, passed)).isEqualTo(2);
      assertThat(passed.taken()).as("descriptors of this message").isEmpty();
      assertThat(came).as("descriptors of the first message").hasSize(2);
      came.forEach(kernel::close);
      assertThatThrownBy(() -> kernel.sendMessage(client, text, 10, 7, List.of())).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> kernel.receiveMessage(server, MemorySegment.ofArray(new byte[8]), 0, 8, passed)).isInstanceOf(IllegalArgumentException.class);

      kernel.shutdown(client);
      assertThat(kernel.receiveMessage(server, text, 0, 16, one)).isZero();
      assertThat(one.isTruncated()).isFalse();
      assertThatThrownBy(() -> kernel.sendMessage(client, text, 0, 16, List.of())).hasMessageContaining("EPIPE");
    }
    List.of(file, server, client, listener).forEach(kernel::close);
    Descriptor late = kernel.socket("late");
    assertThatThrownBy(() -> kernel.connect(late, path)).hasMessageContaining("ECONNREFUSED").hasMessageContaining(path);
    kernel.close(late);
  }

  @Test
  void socketsNeverBlockWhoUsesThem() {
    String path = folder.resolve("s").toString();
    Descriptor listener = kernel.socket("listener");
    kernel.bind(listener, path);
    kernel.listen(listener, 1);
    assertThatThrownBy(() -> kernel.accept(listener, "nobody"))
        .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN));
    Descriptor client = kernel.socket("client");
    kernel.connect(client, path);
    Descriptor server = kernel.accept(listener, "server");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = arena.allocate(1 << 16);
      PassedDescriptors none = new PassedDescriptors("passed", 0);
      assertThat(kernel.receiveMessage(server, block, 0, 1 << 16, none)).isEqualTo(-1);
      long sent = 0;
      for (long now = 0; now >= 0; now = kernel.sendMessage(client, block, 0, 1 << 16, List.of())) {
        sent += now;
      }
      long received = 0;
      for (long now = 0; now >= 0; now = kernel.receiveMessage(server, block, 0, 1 << 16, none)) {
        received += now;
      }
      assertThat(sent).isPositive().isEqualTo(received);
    }
    List.of(server, client, listener).forEach(kernel::close);
  }

  @Test
  void socketPathThatDoesNotFitIsRefusedBeforeTheCall() {
    Descriptor socket = kernel.socket("s");
    try {
      assertThatThrownBy(() -> kernel.bind(socket, "/" + "x".repeat(120)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("1 to 107 bytes");
    } finally {
      kernel.close(socket);
    }
  }

  private MemorySegment map(Descriptor file) {
    return kernel.mmap(kernel.pageSize(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, file, 0);
  }
}
