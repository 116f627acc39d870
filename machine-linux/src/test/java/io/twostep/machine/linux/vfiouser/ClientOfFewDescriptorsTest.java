package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.BusMaster;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that say how many descriptors they take with a message: none gets one more. */
@Timeout(60)
class ClientOfFewDescriptorsTest {
  private static final int ROOM = 4096;
  private static final SharedWindow DOORBELLS = new SharedWindow(0, 0x1000, 0x1000);

  @TempDir Path folder;
  private Path path;
  private Map<String, Integer> before;

  @BeforeEach
  void begin() {
    path = folder.resolve("s");
    before = OpenFiles.count();
  }

  @AfterEach
  void nothingIsKept() {
    assertThat(OpenFiles.count()).isEqualTo(before);
  }

  private static RawClient client(Path path, int descriptors) {
    Capabilities usual = Capabilities.DEFAULT;
    return new RawClient(path).negotiate(new Capabilities(descriptors, usual.transfer(), usual.maps(), usual.granule()));
  }

  private static Message region(RawClient client, int index, int room) {
    RegionInfo.writeCommand(client.socket.outgoing(), index, room);
    client.say(Command.DEVICE_GET_REGION_INFO, Header.COMMAND, RegionInfo.SIZE);
    return client.hear();
  }

  @ParameterizedTest
  @CsvSource({"0, false", "1, true", "8, true"})
  void registersArePassedOnlyToClientsThatTakeADescriptor(int descriptors, boolean passed) {
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withShared(DOORBELLS), new CopyDevice());
        RawClient client = client(path, descriptors)) {
      for (int index = 0; index < RegionIndex.COUNT; index++) {
        Message reply = region(client, index, ROOM);
        RegionInfo info = RegionInfo.read(reply.payload());
        boolean mapped = passed && index == 0;
        assertThat(reply.descriptors()).as("region %d", index).hasSize(mapped ? 1 : 0);
        assertThat(info.flags() & RegionInfo.MAP).as("region %d", index).isEqualTo(mapped ? RegionInfo.MAP : 0);
        assertThat(info.areas()).as("region %d", index).isEqualTo(mapped ? List.of(new RegionInfo.Area(0x1000, 0x1000)) : List.of());
        client.socket.closeAll(reply.descriptors());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void deviceWorksForThemByMessage(int descriptors) {
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withShared(DOORBELLS), new CopyDevice());
        RawClient client = client(path, descriptors)) {
      Descriptor file = client.memory(0x2000);
      assertThat(client.map(0x10000, 0x2000, 3, file)).as("what the client passes is the server's to limit").isZero();
      client.busMaster();
      assertThat(client.copied(0x10000, 0x11000, 16)).isEqualTo(BusMaster.OK);
      Kernel.host().close(file);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void regionIsAskedForAgainOnlyIfThatBringsADescriptor(int descriptors) {
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path).withShared(DOORBELLS), new CopyDevice());
        RawClient client = client(path, descriptors)) {
      Message reply = region(client, 0, RegionInfo.SIZE);
      assertThat(reply.descriptors()).isEmpty();
      long needed = RegionInfo.room(reply.payload());
      assertThat(needed > RegionInfo.SIZE).isEqualTo(descriptors > 0);
    }
  }
}
