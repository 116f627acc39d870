package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.ScriptedServer.Answer;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DeviceInfo;
import io.twostep.machine.linux.vfiouser.protocol.DmaAccess;
import io.twostep.machine.linux.vfiouser.protocol.DmaUnmap;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.protocol.Version;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that die, stall or lie: the client says which device and what to do, is DETACHED from then on, and holds nothing afterwards. */
@Timeout(600)
class ServerThatLiesTest {
  private static final Kernel KERNEL = Kernel.host();

  @TempDir Path folder;
  private Map<String, Integer> before;
  private ScriptedServer server;

  @BeforeEach
  void begin() {
    before = OpenFiles.count();
    server = new ScriptedServer(folder.resolve("s"));
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    server.close();
    assertThat(OpenFiles.count()).isEqualTo(before);
  }

  private VfioUserMachine open() {
    return open(config());
  }

  private VfioUserConfig config() {
    return VfioUserConfig.of(folder.resolve("s")).withMemory(1 << 20);
  }

  private VfioUserMachine open(VfioUserConfig config) {
    return VfioUserMachine.open(config, KERNEL, server::nanoTime);
  }

  static Stream<Arguments> liesAtTheBeginning() {
    Map<String, Object[]> lies = new LinkedHashMap<>();
    lies.put("hung up", lie(Command.VERSION, (message, wire) -> wire.hangUp()));
    lies.put("refused version 0.1", lie(Command.VERSION, (message, wire) -> wire.refuse(message, Errno.EINVAL)));
    lies.put("answered with version 1.0", lie(Command.VERSION, (message, wire) -> wire.reply(message, new Version(1, 0, Capabilities.DEFAULT).write(wire.payload()))));
    lies.put("answered with version 0.2", lie(Command.VERSION, (message, wire) -> wire.reply(message, new Version(0, 2, Capabilities.DEFAULT).write(wire.payload()))));
    lies.put("VERSION of 3 bytes", lie(Command.VERSION, (message, wire) -> wire.reply(message, 3)));
    lies.put("carries 1 descriptors", lie(Command.VERSION, (message, wire) -> pass(1, fds -> wire.reply(message, new Version(0, 1, Capabilities.DEFAULT).write(wire.payload()), fds))));
    lies.put("more than 8 descriptors", lie(Command.DEVICE_GET_INFO, (message, wire) -> pass(9, fds -> wire.reply(message, 16, fds))));
    lies.put("reply to DEVICE_GET_INFO (id 9)", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.send(9, Command.DEVICE_GET_INFO, Header.REPLY, 0, 16)));
    lies.put("reply to DEVICE_RESET (id 2)", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.send(2, Command.DEVICE_RESET, Header.REPLY, 0, 0)));
    lies.put("DEVICE_GET_INFO of 8 bytes", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.reply(message, 8)));
    lies.put("does not say what it serves", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.refuse(message, 0)));
    lies.put("serves no PCI function", lie(Command.DEVICE_GET_INFO, (message, wire) -> {
      new DeviceInfo(1, 9, 5).write(wire.payload());
      wire.reply(message, DeviceInfo.SIZE);
    }));
    lies.put("of 15 bytes: a message has", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.raw(header(2, 4, 15, 1))));
    lies.put("of 4294967295 bytes: a message has", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.raw(header(2, 4, -1, 1))));
    lies.put("flags 0x7 are no message type", lie(Command.DEVICE_GET_INFO, (message, wire) -> wire.raw(header(2, 4, 16, 7))));
    lies.put("told of region 3", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> wire.reply(message, RegionInfo.none(3).write(wire.payload(), 64))));
    lies.put("told of region 0 in 4848 bytes", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> pass(1, fds -> wire.reply(message, inPages(300).write(wire.payload(), 1 << 20), fds))));
    lies.put("can be mapped and came with 0 descriptors", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> wire.reply(message, mappable(0x1000).write(wire.payload(), 64))));
    lies.put("cannot be mapped and came with 1 descriptors", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> pass(1, fds -> wire.reply(message, RegionInfo.none(0).write(wire.payload(), 64), fds))));
    lies.put("of a descriptor of 0x1000 bytes", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> pass(1, fds -> wire.reply(message, mappable(0x1000).write(wire.payload(), 64), fds))));
    lies.put("passed a descriptor that cannot be mapped", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> {
      Descriptor socket = KERNEL.socket("no file");
      wire.reply(message, mappable(0x1000).write(wire.payload(), 64), socket);
      KERNEL.close(socket);
    }));
    lies.put("0x800+0x800", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> pass(1, fds -> wire.reply(message, mappable(0x800).write(wire.payload(), 64), fds))));
    lies.put("configuration space of 0 bytes", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> wire.reply(message, RegionInfo.none(RegionInfo.readIndex(message.payload())).write(wire.payload(), 64))));
    lies.put("configuration space of 255 bytes", lie(Command.DEVICE_GET_REGION_INFO, (message, wire) -> {
      int index = RegionInfo.readIndex(message.payload());
      wire.reply(message, new RegionInfo(3, index, index == RegionIndex.CONFIG ? 255 : 0, 0, List.of()).write(wire.payload(), 64));
    }));
    for (int bit : new int[] {47, 62, 63}) {
      lies.put("maps no less than 0x%x bytes".formatted(1L << bit), lie(Command.VERSION, (message, wire) -> wire.reply(message, version("{\"capabilities\":{\"pgsizes\":%s}}".formatted(Long.toUnsignedString(1L << bit)), wire.payload()))));
    }
    lies.put("told of InterruptInfo", lie(Command.DEVICE_GET_IRQ_INFO, (message, wire) -> {
      new InterruptInfo(1, 4, 1).write(wire.payload());
      wire.reply(message, InterruptInfo.SIZE);
    }));
    return lies.entrySet().stream().map(each -> Arguments.of(each.getKey(), each.getValue()[0], each.getValue()[1]));
  }

  private static int version(String text, MemorySegment to) {
    int length = new Version(0, 1, Capabilities.DEFAULT).write(to);
    to.asSlice(4, length).fill((byte) 0);
    to.setString(4, text);
    return 4 + text.length() + 1;
  }

  private static Object[] lie(int command, Answer answer) {
    return new Object[] {command, answer};
  }

  private static MemorySegment header(int id, int command, int size, int flags) {
    MemorySegment header = Arena.ofAuto().allocate(Header.SIZE);
    Header.write(header, id, command, size, flags, 0);
    return header;
  }

  private static RegionInfo mappable(long offset) {
    return new RegionInfo(7, 0, 0x4000, 0, List.of(new RegionInfo.Area(offset, offset)));
  }

  /** As many mappings for us to make as there are pages. */
  private static RegionInfo inPages(int pages) {
    return new RegionInfo(7, 0, pages * 0x1000L, 0, IntStream.range(0, pages).mapToObj(i -> new RegionInfo.Area(i * 0x1000L, 0x1000)).toList());
  }

  /** Pass descriptors of a memory file of one page. */
  private static void pass(int count, Consumer<Descriptor[]> send) {
    Descriptor file = KERNEL.memfd("passed", 0);
    KERNEL.truncate(file, 0x1000);
    Descriptor[] all = new Descriptor[count];
    Arrays.fill(all, file);
    send.accept(all);
    KERNEL.close(file);
  }

  @Test
  void serverThatTakesNoDescriptorsGetsNone() {
    List<Integer> carried = new CopyOnWriteArrayList<>();
    for (int command : new int[] {Command.DMA_MAP, Command.DEVICE_SET_IRQS}) {
      server.on(
          command,
          (message, wire) -> {
            carried.add(message.descriptors().size());
            ScriptedServer.answerWell(message, wire);
          });
    }
    server.on(Command.VERSION, (message, wire) -> wire.reply(message, new Version(0, 1, new Capabilities(0, 1 << 20, 16, 4096)).write(wire.payload())));
    server.start();
    try (VfioUserMachine machine = open();
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      iommu.map(0x10000, block.phys(0), 4096, 1);
      iommu.unmap(0x10000, 4096);
      assertThat(slot.interrupts().count()).as("vectors, which signal by descriptors").isZero();
    }
    assertThat(carried).containsOnly(0).isNotEmpty();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("liesAtTheBeginning")
  void serverThatLiesIsNotOpened(String said, int command, Answer answer) {
    server.on(command, answer).start();
    assertThatThrownBy(this::open)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED))
        .hasMessageContaining("vfio-user-0 (" + folder.resolve("s") + "): the server")
        .hasMessageContaining(said)
        .hasMessageContaining("restart it");
  }

  @Test
  void serverThatNeverAnswersIsGivenUpWhenItsTimeIsUp() {
    server.on(Command.DEVICE_GET_REGION_INFO, (message, wire) -> server.letTimeRunAway()).start();
    assertThatThrownBy(this::open).hasMessageContaining("did not answer DEVICE_GET_REGION_INFO within 5000 ms").hasMessageContaining("DETACHED");
  }

  @Test
  void serverThatStopsInTheMiddleOfAMessageIsGivenUpWhenItsTimeIsUp() {
    server
        .on(
            Command.DEVICE_GET_INFO,
            (message, wire) -> {
              wire.raw(header(2, Command.DEVICE_GET_INFO, 32, Header.REPLY).asSlice(0, 10));
              server.letTimeRunAway();
            })
        .start();
    assertThatThrownBy(this::open).hasMessageContaining("stopped in the middle of a message").hasMessageContaining("DETACHED");
  }

  @Test
  void nobodyAtTheSocketIsSaidWithThePathAndWhatToDo() {
    assertThatThrownBy(() -> VfioUserMachine.open(VfioUserConfig.of(folder.resolve("none"))))
        .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT))
        .hasMessageContaining(folder.resolve("none").toString())
        .hasMessageContaining("start the server");
  }

  @ParameterizedTest
  @CsvSource({
    "socket vfio-user-0, 24, 'socket failed: EMFILE', 'raise the limit of open files'",
    "eventfd vfio-user-0, 24, 'eventfd failed: EMFILE', 'raise the limit of open files'",
    "mmap descriptor received from vfio-user-0, 12, 'mmap failed: ENOMEM', 'this process'",
    "mmap descriptor received from vfio-user-0, 23, 'mmap failed: ENFILE', 'this process'",
  })
  void whatThisProcessHasNotIsNotTheServersFault(String call, int errno, String said, String remedy) {
    server.on(Command.DEVICE_GET_REGION_INFO, (message, wire) -> answerBar0(message, wire, new RegionInfo(7, 0, 0x4000, 0, List.of(new RegionInfo.Area(0, 0x1000))))).start();
    WatchedKernel kernel = new WatchedKernel(WatchedKernel.Wrong.CALL_FAILS);
    String name = "vfio-user-0 (" + folder.resolve("s") + ")";
    kernel.nthCall().pickFirst(call.replace("vfio-user-0", name) + (call.startsWith("eventfd") ? ": the machine's wake-up call" : ""), errno);
    assertThatThrownBy(() -> VfioUserMachine.open(config(), kernel, server::nanoTime))
        .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(errno))
        .hasMessageContaining(name)
        .hasMessageContaining(said)
        .hasMessageContaining(remedy)
        .hasMessageNotContaining("the server");
    assertThat(kernel.leaks()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"2, start the server", "111, start the server", "11, end the other one", "13, run as a user who may", "20, name the socket", "91, name the socket"})
  void serverThatCannotBeReachedIsSaidWithWhatToDo(int errno, String remedy) {
    WatchedKernel kernel = new WatchedKernel(WatchedKernel.Wrong.CALL_FAILS);
    kernel.nthCall().pickFirst("connect " + folder.resolve("s"), errno);
    LongSupplier clock = () -> kernel.nthCall().picked().isEmpty() ? 0 : 60_000_000_000L;
    assertThatThrownBy(() -> VfioUserMachine.open(config(), kernel, clock))
        .isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(errno))
        .hasMessageContaining("vfio-user-0 (" + folder.resolve("s") + ")")
        .hasMessageContaining(remedy);
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void lostServerLeavesRegistersThatReadAllOnesAndRefusesTheRest() throws Exception {
    server.on(Command.REGION_READ, (message, wire) -> {
      if (RegionAccess.region(message.body()) == 0) {
        wire.hangUp();
      } else {
        ScriptedServer.answerWell(message, wire);
      }
    }).start();
    try (VfioUserMachine machine = open()) {
      var slot = machine.slots().getFirst();
      var registers = slot.mmio(0);
      try (MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
        HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
        iommu.map(0x10000, block.phys(0), 4096, 3);
        assertThat(registers.read32(0)).isEqualTo(-1);
        assertThat(registers.read64(8)).isEqualTo(-1L);
        registers.write32(0, 1);
        assertThat(slot.config().read(0, 2)).isEqualTo(0xffff);
        assertThat(machine.lost()).contains("hung up");
        detached(() -> slot.mmio(0));
        detached(() -> iommu.map(0x20000, block.phys(0), 4096, 3));
        detached(() -> machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS));
        detached(() -> slot.interrupts().enable(0, () -> {}));
        assertThat(iommu.unmap(0x10000, 4096)).as("the server may still hold it").isZero();
        slot.busMaster(false);
        slot.reset();
      }
    }
  }

  private static void detached(ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED))
        .hasMessageContaining("hung up");
  }

  @Test
  void unmapThatTheServerDoesNotConfirmIsNotConfirmed() {
    List<Long> confirmed = new ArrayList<>(List.of(0x1000L, 0x2000L, 0x4000L));
    server
        .on(
            Command.DMA_UNMAP,
            (message, wire) -> {
              DmaUnmap.write(wire.payload(), 0, 0x10000, confirmed.removeFirst());
              wire.reply(message, DmaUnmap.SIZE);
            })
        .start();
    try (VfioUserMachine machine = open();
        MemoryBlock block = machine.memory().allocate(0x2000, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      iommu.map(0x10000, block.phys(0), 0x2000, 3);
      assertThat(iommu.unmap(0x10000, 0x2000)).isEqualTo(0x1000);
      assertThat(iommu.unmap(0x10000, 0x2000)).isEqualTo(0x2000);
      iommu.map(0x10000, block.phys(0), 0x2000, 3);
      assertThat(iommu.unmap(0x10000, 0x2000)).as("more than was asked is a lie").isZero();
      assertThat(machine.lost()).contains("confirmed 0x10000+0x4000");
    }
  }

  @Test
  void serverThatKeepsTheBeginningOfAMapWhoseRestFailedIsLost() {
    server.on(Command.DMA_UNMAP, (message, wire) -> wire.refuse(message, Errno.EBUSY)).start();
    try (VfioUserMachine machine = open();
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      assertThatThrownBy(() -> iommu.map(0x10000, block.phys(0), 8192, 3))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED))
          .hasMessageContaining("keeps 0x10000+0x1000, which it was asked to let go of when a part of the same map failed: ")
          .hasMessageContaining("no memory at 0x%x".formatted(block.phys(0) + 4096));
      assertThat(machine.lost()).contains("keeps 0x10000+0x1000");
    }
  }

  @Test
  void memoryThatAServerWasGivenCannotBeTakenAway() {
    AtomicReference<Throwable> refused = new AtomicReference<>();
    server
        .on(
            Command.DMA_MAP,
            (message, wire) -> {
              refused.set(catchThrowable(() -> KERNEL.truncate(message.descriptors().getFirst(), 0)));
              wire.reply(message, 0);
            })
        .start();
    try (VfioUserMachine machine = open();
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      iommu.map(0x10000, block.phys(0), 4096, 3);
      block.segment().fill((byte) 1);
      assertThat(refused.get()).hasMessageContaining("EPERM");
      iommu.unmap(0x10000, 4096);
    }
  }

  @Test
  void refusedMapIsSaidAndNothingIsMapped() {
    server.on(Command.DMA_MAP, (message, wire) -> wire.refuse(message, Errno.EINVAL)).start();
    try (VfioUserMachine machine = open(config().withMaps(1));
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      assertThatThrownBy(() -> iommu.map(0x10000, block.phys(0), 4096, 3)).hasMessageContaining("refused DMA_MAP: EINVAL").hasMessageContaining("'dma-maps'");
      assertThat(iommu.mappingSlots()).isEqualTo(1);
      assertThat(machine.lost()).isNull();
    }
  }

  @Test
  void readThatAnswersWithOtherBytesThanAskedIsALie() {
    server
        .on(
            Command.REGION_READ,
            (message, wire) -> {
              RegionAccess.write(wire.payload(), 0, 0, 2);
              wire.reply(message, RegionAccess.SIZE + 2);
            })
        .start();
    assertThatThrownBy(this::open).hasMessageContaining("was asked for 0x10+0x4 of region 7 and answered 0x0+0x2 of region 0").hasMessageContaining("DETACHED");
  }

  @Test
  void replyThatNobodyAskedForLosesTheServerWithoutAnybodyAsking() throws Exception {
    server
        .on(
            Command.DMA_MAP,
            (message, wire) -> {
              wire.reply(message, 0);
              wire.send(77, Command.DEVICE_RESET, Header.REPLY, 0, 0);
            })
        .start();
    try (VfioUserMachine machine = open(config().withDescriptors(false));
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      iommu.map(0x10000, block.phys(0), 4096, 3);
      server.awaitGone();
      assertThatThrownBy(() -> machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)).hasMessageContaining("nothing was asked");
    }
  }

  @Test
  void accessOutsideWhatIsMappedIsRefusedAndIsAFault() throws Exception {
    BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    server
        .on(
            Command.DEVICE_RESET,
            (message, wire) -> {
              ask(wire, Command.DMA_READ, 0x10000, 0x1000, 0, answers);
              ask(wire, Command.DMA_READ, 0x10ff0, 0x20, 0, answers);
              ask(wire, Command.DMA_WRITE, 0x10000, 8, 8, answers);
              ask(wire, Command.DMA_WRITE, 0x20000, 8, 4, answers);
              ask(wire, Command.DMA_READ, -8, 0x10, 0, answers);
              ask(wire, Command.DMA_READ, 0x10000, -1, 0, answers);
              wire.reply(message, 0);
            })
        .start();
    List<FaultRecord> faults = new ArrayList<>();
    try (VfioUserMachine machine = open(config().withDescriptors(false));
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      var slot = machine.slots().getFirst();
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      iommu.onFault(faults::add);
      iommu.map(0x10000, block.phys(0), 4096, 1);
      block.segment().set(ValueLayout.JAVA_BYTE, 5, (byte) 42);
      slot.reset();
      assertThat(answers.poll(10, TimeUnit.SECONDS)).isEqualTo("4096 bytes, of which the sixth is 42");
      for (int i = 0; i < 5; i++) {
        assertThat(answers.poll(10, TimeUnit.SECONDS)).matches("errno (14|22)");
      }
      assertThat(block.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
      assertThat(faults)
          .extracting(FaultRecord::toString)
          .containsExactly(
              "vfio-user-0: read of 0x0000000000011000 refused: NOT_PRESENT",
              "vfio-user-0: write to 0x0000000000010000 refused: PERMISSION",
              "vfio-user-0: read of 0xfffffffffffffff8 refused: NOT_PRESENT");
    }
  }

  @Test
  void faultThatAListenerFailsAtIsAnsweredAndToldToTheOthers() throws Exception {
    BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    server
        .on(
            Command.DEVICE_RESET,
            (message, wire) -> {
              ask(wire, Command.DMA_READ, 0x10000, 8, 0, answers);
              wire.reply(message, 0);
            })
        .start();
    List<FaultRecord> heard = new ArrayList<>();
    try (VfioUserMachine machine = open(config().withDescriptors(false))) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      iommu.onFault(
          fault -> {
            throw new IllegalStateException("a listener that fails");
          });
      iommu.onFault(heard::add);
      slot.reset();
      assertThat(answers.take()).isEqualTo("errno 14");
      assertThat(machine.lost()).isNull();
      assertThat(slot.config().read(0, 2)).isZero();
    }
    assertThat(heard).hasSize(1);
  }

  private static void ask(ScriptedServer.Wire wire, int command, long iova, long count, int data, BlockingQueue<String> answers) {
    DmaAccess.write(wire.payload(), iova, count);
    wire.send(1, command, Header.COMMAND, 0, DmaAccess.SIZE + data);
    Message reply = wire.receive();
    answers.add(
        reply.header().isError()
            ? "errno " + reply.header().errno()
            : DmaAccess.count(reply.body()) + " bytes, of which the sixth is " + reply.body().get(ValueLayout.JAVA_BYTE, DmaAccess.SIZE + 5));
  }

  @Test
  void serverThatOnlyAsksAndNeverAnswersIsGivenUp() {
    server
        .on(
            Command.DEVICE_GET_INFO,
            (message, wire) -> {
              server.letTimeRunAway();
              for (int i = 0; i < 100; i++) {
                wire.send(i, Command.DMA_READ, Header.COMMAND | Header.NO_REPLY, 0, 0);
              }
            })
        .start();
    assertThatThrownBy(this::open).hasMessageContaining("did not answer DEVICE_GET_INFO");
  }

  @Test
  void barWhoseMemoryIsTakenAwayIsALostServerAndNoCrash() throws Exception {
    Descriptor file = KERNEL.memfd("bar", 0);
    KERNEL.truncate(file, 0x4000);
    server
        .on(
            Command.DEVICE_GET_REGION_INFO,
            (message, wire) -> {
              if (RegionInfo.readIndex(message.payload()) == 0) {
                wire.reply(message, mappable(0x1000).write(wire.payload(), 64), file);
              } else {
                ScriptedServer.answerWell(message, wire);
              }
            })
        .start();
    try (VfioUserMachine machine = open()) {
      var registers = machine.slots().getFirst().mmio(0);
      registers.write32(0x1004, 7);
      assertThat(registers.read32(0x1004)).isEqualTo(7);
      KERNEL.truncate(file, 0);
      assertThat(registers.read32(0x1004)).isEqualTo(-1);
      assertThat(machine.lost()).contains("took away the memory behind BAR 0");
    }
    KERNEL.close(file);
  }

  @Test
  void partOfABarThatIsToldTwiceIsMappedOnce() {
    RegionInfo.Area area = new RegionInfo.Area(0, 0x1000);
    server.on(Command.DEVICE_GET_REGION_INFO, (message, wire) -> answerBar0(message, wire, new RegionInfo(7, 0, 0x4000, 0, List.of(area, area)))).start();
    WatchedKernel kernel = new WatchedKernel(WatchedKernel.Wrong.CALL_FAILS);
    VfioUserMachine.open(config(), kernel, server::nanoTime).close();
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void partOfABarThatBeginsWithinAPageOfItIsALie() {
    server
        .on(
            Command.DEVICE_GET_REGION_INFO,
            (message, wire) -> answerBar0(message, wire, new RegionInfo(7, 0, 0x4000, 0xffe, List.of(new RegionInfo.Area(2, 0x1000)))))
        .start();
    assertThatThrownBy(this::open).hasMessageContaining("BAR 0 offers 0x2+0x1000 at offset 0x1000").hasMessageContaining("DETACHED");
  }

  private static void answerBar0(Message message, ScriptedServer.Wire wire, RegionInfo bar0) {
    if (RegionInfo.readIndex(message.payload()) != 0) {
      ScriptedServer.answerWell(message, wire);
      return;
    }
    Descriptor file = KERNEL.memfd("passed", 0);
    KERNEL.truncate(file, 0x4000);
    wire.reply(message, bar0.write(wire.payload(), 4096), file);
    KERNEL.close(file);
  }

  @Test
  void serverThatHoldsTheFileCanReadWhatItMayOnlyWrite() {
    server.start();
    try (VfioUserMachine machine = open()) {
      assertThat(((HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu()).enforcesWriteOnly()).isFalse();
    }
  }

  @Test
  void serverThatHasToAskIsRefusedWhatItMayOnlyWrite() {
    server.start();
    try (VfioUserMachine machine = open(config().withDescriptors(false))) {
      assertThat(((HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu()).enforcesWriteOnly()).isTrue();
    }
  }

  @Test
  void memoryThatDoesNotFitIntoTheAddressesIsNotRegistered() {
    server.start();
    VfioUserConfig narrow = new VfioUserConfig(folder.resolve("s"), 3L << 30, false, true, true, 16, 32, 5_000_000_000L);
    open(narrow).close();
    assertThatThrownBy(() -> narrow.withMemory((3L << 30) + 4096))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'memory' of 3221229568 bytes")
        .hasMessageContaining("'address-bits' of 32");
  }
}
