package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.twostep.dma.spi.BusMaster;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.DmaAccess;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that break every rule: they are refused, or hung up on, and harm nobody: the next client finds the device as new, and nothing of theirs is kept. */
@Timeout(600)
class ClientThatLiesTest {
  private static final Kernel KERNEL = Kernel.host();

  @TempDir Path folder;
  private Path path;
  private Map<String, Integer> before;
  private final CopyDevice device = new CopyDevice();
  private ServedHere served;

  @BeforeEach
  void begin() {
    path = folder.resolve("s");
    before = OpenFiles.count();
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  @AfterEach
  void theNextClientFindsTheDeviceAsNewAndNothingIsKept() {
    try (RawClient next = new RawClient(path).negotiate()) {
      Descriptor file = next.memory(0x2000);
      assertThat(next.map(0x1000, 0x2000, 3, file)).isZero();
      next.busMaster();
      assertThat(next.copied(0x1000, 0x2000, 64)).isEqualTo(BusMaster.OK);
      KERNEL.close(file);
    }
    served.close();
    assertThat(OpenFiles.count()).isEqualTo(before);
    assertThat(path).doesNotExist();
  }

  @Test
  void clientThatDoesNotBeginWithAVersionIsHungUpOn() {
    try (RawClient client = new RawClient(path)) {
      assertThat(client.ask(Command.DEVICE_RESET, "")).isEqualTo(Errno.EINVAL);
      assertThatThrownBy(client::hear).isInstanceOf(ConnectionException.class).hasMessageContaining("hung up");
    }
  }

  @ParameterizedTest
  @CsvSource({"0100 0000", "0000 0100 7b7d", "0000", "0000 0100 7b00"})
  void versionThatCannotBeIsRefusedAndHungUpOn(String version) {
    try (RawClient client = new RawClient(path)) {
      assertThat(client.ask(Command.VERSION, version)).isEqualTo(Errno.EINVAL);
      assertThatThrownBy(client::hear).isInstanceOf(ConnectionException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1,  '0000 0100', 0, 22, a second version",
    "2,  '20000000 03000000 0000000000000000 0010000000000000 0010000000000000', 2, 22, a map with two descriptors",
    "2,  '20000000 03000000 0000000000000000 0010000000000000 0030000000000000', 1, 22, a map beyond the end of its file",
    "2,  '20000000 03000000 0020000000000000 0010000000000000 0010000000000000', 1, 22, a map behind the end of its file",
    "2,  '20000000 03000000 0000000000000000 0008000000000000 0010000000000000', 1, 22, a map at half a page",
    "2,  '20000000 03000000 0000000000000000 0010000000000000 0008000000000000', 1, 22, a map of half a page",
    "2,  '20000000 03000000 0000000000000000 00f0ffffffffffff 0020000000000000', 0, 22, a map that wraps around",
    "2,  '20000000 03000000 0000000000000000 0050000000000000 0010000000000000', 1, 17, a map over another",
    "2,  '20000000 00000000 0000000000000000 0090000000000000 0010000000000040', 1, 22, a map larger than anything",
    "3,  '18000000 00000000 0050000000000000 0010000000000000', 0, 2, half of a map taken away",
    "3,  '18000000 00000000 0090000000000000 0010000000000000', 0, 2, no map taken away",
    "3,  '18000000 00000000 0050000000000000 0020000000000000', 1, 22, a descriptor with what takes none",
    "4,  '10000000', 0, 22, half of a structure",
    "5,  '20000000 00000000 09000000 00000000 0000000000000000 0000000000000000', 0, 22, a region that there is not",
    "5,  '20000000 00000000 ffffffff 00000000 0000000000000000 0000000000000000', 0, 22, a region of a negative number",
    "6,  '10000000', 0, 22, half of a structure",
    "7,  '10000000 00000000 05000000 00000000', 0, 22, interrupts that there are not",
    "8,  '14000000 24000000 02000000 00000000 01000000', 0, 0, no eventfd for a vector takes it away",
    "8,  '14000000 24000000 02000000 00000000 01000000', 2, 22, two descriptors for one vector",
    "8,  '14000000 24000000 02000000 00000000 01000000', 1, 22, a file for an eventfd",
    "8,  '14000000 24000000 02000000 04000000 01000000', 0, 22, a vector that there is not",
    "8,  '14000000 24000000 02000000 ffffffff 02000000', 0, 22, a vector of a negative number",
    "8,  '14000000 28000000 02000000 00000000 01000000', 0, 22, two actions",
    "8,  '14000000 09000000 02000000 00000000 01000000', 0, 22, a mask that there is not",
    "8,  '14000000 24000000 00000000 00000000 01000000', 0, 22, a line that there is not",
    "9,  '0000000000000000 00000000 00000000', 0, 22, a read of nothing",
    "9,  '0000000000000000 00000000 03000000', 0, 22, a register of three bytes",
    "9,  '0200000000000000 00000000 04000000', 0, 22, a register at an odd place",
    "9,  'fe1f000000000000 00000000 04000000', 0, 22, a read over the end",
    "9,  'ffffffffffffffff 07000000 04000000', 0, 22, a read before the beginning",
    "9,  '0000000000000000 07000000 ffffffff', 0, 22, a read of everything",
    "9,  '0000000000000000 07000000 01100000', 0, 22, a read over the end of configuration space",
    "9,  '0000000000000000 01000000 04000000', 0, 22, a read of a BAR that there is not",
    "9,  '0000000000000000 09000000 04000000', 0, 22, a read of a region that there is not",
    "9,  '0000000000000000 02000000 01200000', 0, 22, a read over the end of a memory BAR",
    "10, '0000000000000000 00000000 04000000 000000', 0, 22, a write with too few bytes",
    "10, '0000000000000000 00000000 04000000 0000000000', 0, 22, a write with too many bytes",
    "10, 'fc0f000000000000 07000000 08000000 0000000000000000', 0, 22, a write over the end of configuration space",
    "10, '2400000000000000 00000000 04000000 00000000', 0, 5, a register that breaks",
    "11, '0000000000000000 0010000000000000', 0, 22, a server's command",
    "13, '', 1, 22, a descriptor with a reset",
    "14, '', 0, 22, a command of old",
    "99, '', 0, 22, no command"
  })
  void commandThatCannotBeIsRefusedAndTheSessionGoesOn(int command, String payload, int descriptors, int errno, String what) {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor file = client.memory(0x2000);
      assertThat(client.map(0x4000, 0x2000, 3, file)).isZero();
      Map<String, Integer> open = OpenFiles.count();
      Descriptor[] passed = new Descriptor[descriptors];
      Arrays.fill(passed, file);
      assertThat(client.ask(command, payload, passed)).as(what).isEqualTo(errno);
      assertThat(client.read(RegionIndex.CONFIG, 0, 4)).isEqualTo(0x0777_1b36);
      assertThat(OpenFiles.count()).isEqualTo(open);
      client.busMaster();
      assertThat(client.copied(0x4000, 0x5000, 16)).as("the map is as it was").isEqualTo(BusMaster.OK);
      KERNEL.close(file);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0100 0100 0f000000 00000000 00000000",
    "0100 0900 ffffffff 00000000 00000000",
    "0100 0900 10000000 05000000 00000000",
    "0100 0900 10000000 01000000 00000000"
  })
  void whatLeavesNoWayToGoOnIsHungUpOn(String header) {
    try (RawClient client = new RawClient(path).negotiate()) {
      byte[] bytes = HexFormat.of().parseHex(header.replace(" ", ""));
      MemorySegment message = Arena.ofAuto().allocate(16);
      MemorySegment.copy(bytes, 0, message, ValueLayout.JAVA_BYTE, 0, 16);
      KERNEL.sendMessage(client.socket.descriptor(), message, 0, message.byteSize(), List.of());
      assertThatThrownBy(client::hear).isInstanceOf(ConnectionException.class);
    }
  }

  @Test
  void deviceReachesWhatWasMappedAsItWasMappedAndNothingElse() {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor file = client.memory(0x4000);
      client.map(0x1000, 0x1000, 1, file);
      client.map(0x2000, 0x1000, 2, file);
      client.map(0x3000, 0x1000, 3, file);
      assertThat(client.copied(0x1000, 0x2000, 16)).isEqualTo(BusMaster.NOT_MASTER);
      client.busMaster();
      assertThat(client.copied(0x1000, 0x2000, 0x1000)).isEqualTo(BusMaster.OK);
      assertThat(client.copied(0x2000, 0x3000, 16)).as("read of what may only be written").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(client.copied(0x3000, 0x1000, 16)).as("write of what may only be read").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(client.copied(0x3ff8, 0x2000, 16)).as("over the end").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(client.copied(0xff8, 0x2000, 16)).as("before the beginning").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(client.copied(-8, 0x2000, 16)).as("around").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(client.ask(Command.DMA_UNMAP, "18000000 02000000 0000000000000000 0000000000000000")).isZero();
      assertThat(client.copied(0x1000, 0x2000, 16)).as("taken away").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      KERNEL.close(file);
    }
  }

  @Test
  void memoryThatIsMadeShorterUnderTheDeviceIsAnAbortAndNoCrash() {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor file = client.memory(0x4000);
      client.map(0x10000, 0x4000, 3, file);
      client.busMaster();
      for (int i = 0; i < 200; i++) {
        KERNEL.truncate(file, 0x4000);
        assertThat(client.copied(0x10000, 0x12000, 0x2000)).isEqualTo(BusMaster.OK);
        KERNEL.truncate(file, 0x1000);
        assertThat(client.copied(0x10000, 0x12000, 0x2000)).isEqualTo(BusMaster.COMPLETER_ABORT);
      }
      KERNEL.close(file);
    }
  }

  @Test
  void clientThatLeavesTakesItsMemoryAlong() {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor file = client.memory(0x2000);
      client.map(0x10000, 0x2000, 3, file);
      client.busMaster();
      client.write(RegionIndex.CONFIG, 0x3c, 1, 0x55);
      client.copy(0x10000, 0x11000, 16);
      KERNEL.close(file);
    }
    try (RawClient client = new RawClient(path).negotiate()) {
      assertThat(client.read(0, CopyDevice.RESETS, 4)).isEqualTo(1);
      assertThat(client.read(0, CopyDevice.SOURCE, 8)).isZero();
      assertThat(client.read(RegionIndex.CONFIG, 0x3c, 1)).isZero();
      assertThat(client.copied(0x10000, 0x11000, 16)).isEqualTo(BusMaster.NOT_MASTER);
      client.busMaster();
      assertThat(client.copied(0x10000, 0x11000, 16)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    }
  }

  @Test
  void clientThatAnswersNonsenseIsHungUpOn() {
    try (RawClient client = new RawClient(path).negotiate()) {
      client.map(0x10000, 0x2000, 3);
      client.busMaster();
      client.copy(0x10000, 0x11000, 16);
      Message asked = client.hear();
      assertThat(asked.header().command()).isEqualTo(Command.DMA_READ);
      assertThat(DmaAccess.iova(asked.body())).isEqualTo(0x10000);
      assertThat(DmaAccess.count(asked.body())).isEqualTo(16);
      DmaAccess.write(client.socket.outgoing(), 0x10000, 8);
      client.socket.send(asked.header().id(), Command.DMA_READ, Header.REPLY, 0, DmaAccess.SIZE + 8, List.of(), Long.MAX_VALUE);
      assertThatThrownBy(client::hear).isInstanceOf(ConnectionException.class);
    }
  }

  @Test
  void clientThatRefusesToReadItsMemoryIsAnAbort() {
    try (RawClient client = new RawClient(path).negotiate()) {
      client.map(0x10000, 0x2000, 3);
      client.busMaster();
      client.copy(0x10000, 0x11000, 16);
      Message asked = client.hear();
      client.socket.send(asked.header().id(), Command.DMA_READ, Header.REPLY | Header.ERROR, Errno.EFAULT, 0, List.of(), Long.MAX_VALUE);
      assertThat(client.read(0, CopyDevice.STATUS, 4)).isEqualTo(BusMaster.COMPLETER_ABORT);
    }
  }

  @Test
  void clientThatNeverAnswersIsHungUpOn() {
    served.close();
    CopyDevice slow = new CopyDevice();
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withTimeoutNanos(50_000_000), slow);
        RawClient client = new RawClient(path).negotiate()) {
      client.map(0x10000, 0x2000, 3);
      client.busMaster();
      client.copy(0x10000, 0x11000, 16);
      assertThat(client.hear().header().command()).isEqualTo(Command.DMA_READ);
      assertThatThrownBy(client::hear).isInstanceOf(ConnectionException.class);
    }
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  /** Its time to answer begins anew with every byte. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void clientThatTakesItsMemoryByteByByteHoldsUpNoStop(boolean answers) {
    served.close();
    VfioUserServer server = VfioUserServer.listen(patient(), device);
    served = new ServedHere(server);
    try (RawClient client = new RawClient(path).negotiate(new Capabilities(1, 1, 16, 4096))) {
      client.map(0x10000, 0x2000, 3);
      client.busMaster();
      client.copy(0x10000, 0x11000, 0x1000);
      answerByte(client);
      server.stop();
      int[] answered = {0};
      assertThatThrownBy(() -> {
        while (answers) {
          answerByte(client);
          answered[0]++;
        }
        client.hear();
        client.hear();
      }).isInstanceOf(ConnectionException.class).hasMessageContaining("hung up");
      assertThat(answered[0]).as("bytes that the server still asked for").isLessThanOrEqualTo(2);
      assertTimeoutPreemptively(Duration.ofMinutes(1), served::close);
    }
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  @Test
  void clientThatReadsNoAnswerHoldsUpNoClose() {
    served.close();
    served = new ServedHere(patient(), device);
    try (RawClient client = new RawClient(path).negotiate()) {
      RegionAccess.write(client.socket.outgoing(), 0, 2, 0x2000);
      assertThatThrownBy(() -> {
        while (true) {
          client.socket.send(1, Command.REGION_READ, Header.COMMAND, 0, RegionAccess.SIZE, List.of(), System.nanoTime() + 100_000_000);
        }
      }).hasMessageContaining("took in nothing");
      assertTimeoutPreemptively(Duration.ofMinutes(1), served::close);
    }
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  private VfioUserServerConfig patient() {
    return VfioUserServerConfig.of(path).withTimeoutNanos(Long.MAX_VALUE / 4);
  }

  /** Answer what a {@link CopyDevice} asks first: the next byte. */
  private static void answerByte(RawClient client) {
    Message asked = client.hear();
    DmaAccess.write(client.socket.outgoing(), DmaAccess.iova(asked.body()), 1);
    client.socket.send(asked.header().id(), Command.DMA_READ, Header.REPLY, 0, DmaAccess.SIZE + 1, List.of(), Long.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "1048000, 0", "0, 16"})
  void clientThatSendsOnAndDoesNotAnswerIsHungUpOn(int bytes, int descriptors) {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor file = client.memory(0x1000);
      Descriptor[] passed = new Descriptor[descriptors];
      Arrays.fill(passed, file);
      client.map(0x10000, 0x2000, 3);
      client.busMaster();
      client.copy(0x10000, 0x11000, 16);
      assertThatThrownBy(() -> {
        for (int i = 0; i < 5000; i++) {
          client.say(Command.DEVICE_RESET, Header.NO_REPLY, bytes, passed);
        }
        client.hear();
        client.hear();
      }).isInstanceOf(ConnectionException.class).hasMessageContaining("hung up");
      KERNEL.close(file);
    }
  }

  @Test
  void interruptsAreSignalledByEventfdsAndByNothingElse() {
    try (RawClient client = new RawClient(path).negotiate()) {
      Descriptor event = KERNEL.eventfd("event");
      assertThat(client.ask(Command.DEVICE_SET_IRQS, "14000000 24000000 02000000 03000000 01000000", event)).isZero();
      assertThat(client.ask(Command.DEVICE_SET_IRQS, "14000000 21000000 02000000 00000000 04000000")).as("fire all").isZero();
      assertThat(EventLoop.take(KERNEL, event)).isEqualTo(1);
      assertThat(client.ask(Command.DEVICE_SET_IRQS, "14000000 22000000 02000000 02000000 02000000 0100")).as("fire the other").isZero();
      assertThat(KERNEL.poll(event, PollEvents.READABLE, 0)).isZero();
      assertThat(client.ask(Command.DEVICE_SET_IRQS, "14000000 21000000 02000000 00000000 00000000")).as("take all away").isZero();
      assertThat(client.ask(Command.DEVICE_SET_IRQS, "14000000 21000000 02000000 03000000 01000000")).isZero();
      assertThat(KERNEL.poll(event, PollEvents.READABLE, 0)).isZero();
      KERNEL.close(event);
    }
  }

  @Test
  void secondClientWaitsUntilTheFirstHasLeft() {
    RawClient first = new RawClient(path).negotiate();
    try (RawClient second = new RawClient(path)) {
      second.socket.outgoing().set(ValueLayout.JAVA_INT, 0, 0);
      second.say(Command.VERSION, Header.COMMAND, 4);
      assertThat(first.read(RegionIndex.CONFIG, 0, 2)).isEqualTo(0x1b36);
      assertThat(second.socket.isReadable()).isFalse();
      first.close();
      assertThat(second.hear().header().isError()).isFalse();
    }
  }

  @Test
  void clientThatLeftStoresToNoRegistersOfTheNext() {
    served.close();
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withShared(new SharedWindow(0, 0x1000, 0x1000)), new CopyDevice())) {
      MemorySegment words;
      try (RawClient first = new RawClient(path).negotiate()) {
        Descriptor shared = sharedBy(first);
        words = KERNEL.mmap(0x1000, MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, shared, 0x1000);
        KERNEL.close(shared);
      }
      try (RawClient next = new RawClient(path).negotiate()) {
        Descriptor shared = sharedBy(next);
        words.set(ValueLayout.JAVA_INT, 0, 1);
        // What was stored is handed over before the first, and done before the second.
        next.read(0, CopyDevice.DONE, 4);
        assertThat(next.read(0, CopyDevice.DONE, 4)).isZero();
        KERNEL.close(shared);
      }
      KERNEL.munmap(words);
    }
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  private static Descriptor sharedBy(RawClient client) {
    RegionInfo.writeCommand(client.socket.outgoing(), 0, 4096);
    client.say(Command.DEVICE_GET_REGION_INFO, Header.COMMAND, RegionInfo.SIZE);
    return client.hear().descriptors().getFirst();
  }

  @Test
  void sharedRegistersCannotBeTakenAwayByAClient() {
    served.close();
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withShared(new SharedWindow(0, 0x1000, 0x1000)), new CopyDevice());
        RawClient client = new RawClient(path).negotiate()) {
      RegionInfo.writeCommand(client.socket.outgoing(), 0, 4096);
      client.say(Command.DEVICE_GET_REGION_INFO, Header.COMMAND, RegionInfo.SIZE);
      Message reply = client.hear();
      assertThat(RegionInfo.read(reply.payload()).areas()).containsExactly(new RegionInfo.Area(0x1000, 0x1000));
      Descriptor shared = reply.descriptors().getFirst();
      assertThatThrownBy(() -> KERNEL.truncate(shared, 0)).isInstanceOfSatisfying(SystemCallException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EPERM));
      MemorySegment words = KERNEL.mmap(0x1000, MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, shared, 0x1000);
      Descriptor file = client.memory(0x2000);
      client.map(0x10000, 0x2000, 3, file);
      client.busMaster();
      client.write(0, CopyDevice.SOURCE, 8, 0x10000);
      client.write(0, CopyDevice.TARGET, 8, 0x11000);
      client.write(0, CopyDevice.LENGTH, 8, 16);
      for (int i = 1; i <= 3; i++) {
        words.set(ValueLayout.JAVA_INT, 0, 1);
        while (client.read(0, CopyDevice.DONE, 4) != i) {
          Thread.onSpinWait();
        }
      }
      KERNEL.munmap(words);
      KERNEL.close(file);
      KERNEL.close(shared);
    }
    served = new ServedHere(VfioUserServerConfig.of(path), device);
  }

  @Test
  void leftoverOfADeadServerIsReplacedAndALivingOneIsNot() throws Exception {
    assertThatThrownBy(() -> VfioUserServer.listen(VfioUserServerConfig.of(path), new CopyDevice())).hasMessageContaining("EADDRINUSE");
    Path left = folder.resolve("left");
    Descriptor socket = KERNEL.socket("left");
    KERNEL.bind(socket, left.toString());
    KERNEL.close(socket);
    VfioUserServer.listen(VfioUserServerConfig.of(left), new CopyDevice()).close();
    Path file = Files.writeString(folder.resolve("file"), "text");
    CopyDevice refused = new CopyDevice();
    assertThatThrownBy(() -> VfioUserServer.listen(VfioUserServerConfig.of(file), refused)).hasMessageContaining("EADDRINUSE");
    assertThat(refused.isClosed()).isTrue();
    assertThat(file).hasContent("text");
  }

  /** Connecting is refused by all that is no socket, and what is neither a file nor a folder may be /dev/null. */
  @Test
  void whatIsNoSocketIsNoLeftoverThoughNobodyListensThere() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    assertThatThrownBy(() -> VfioUserServer.listen(VfioUserServerConfig.of(pipe), new CopyDevice())).hasMessageContaining("EADDRINUSE").hasMessageContaining("choose another path");
    assertThat(pipe).exists();
  }

  @Test
  void clientsThatSayAnythingAtAllHarmNobody() {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int i = 0; i < 60; i++) {
      try (RawClient client = i % 10 == 0 ? new RawClient(path) : new RawClient(path).negotiate()) {
        Descriptor file = client.memory(0x4000);
        Descriptor event = KERNEL.eventfd("event");
        babble(client, random, new Descriptor[] {file, event, client.socket.descriptor()});
        KERNEL.close(file);
        KERNEL.close(event);
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("with -Dtwostep.seed=" + seed, e);
      }
    }
  }

  private static void babble(RawClient client, Random random, Descriptor[] things) {
    try {
      for (int i = 0; i < 40; i++) {
        MemorySegment out = client.socket.outgoing();
        int length = random.nextInt(48);
        for (int at = 0; at < length; at += 4) {
          int value = random.nextInt(3) == 0 ? random.nextInt() : random.nextInt(3) == 0 ? 0x1000 << random.nextInt(4) : random.nextInt(40);
          out.set(ValueLayout.JAVA_INT, at, value);
        }
        if (random.nextInt(3) != 0) {
          out.set(ValueLayout.JAVA_INT, 0, 32);
        }
        Descriptor[] passed = new Descriptor[random.nextInt(4) == 0 ? random.nextInt(4) : 0];
        for (int j = 0; j < passed.length; j++) {
          passed[j] = things[random.nextInt(things.length)];
        }
        int flags = random.nextInt(20) == 0 ? random.nextInt(64) : random.nextBoolean() ? Header.COMMAND : Header.NO_REPLY;
        client.say(random.nextInt(15), flags, length, passed);
        while (client.socket.isReadable()) {
          client.socket.closeAll(client.hear().descriptors());
        }
      }
    } catch (ConnectionException e) {
      // Hung up on, as it should be.
    }
  }
}
