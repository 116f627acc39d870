package io.twostep.machine.linux.kernel;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import java.lang.reflect.Proxy;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a process hears that can open no more files: the kernel drops the descriptors of a message, and says no more than that some are missing. */
class ProcessWithoutDescriptorsTest {
  private static final int ROOM = 2;

  @ParameterizedTest
  @CsvSource({"0, 'this process can open no more files'", "1, 'this process can open no more files'", "2, 'sent more than 2 descriptors'"})
  void descriptorsThatAreMissingAreTheSendersFaultOnlyIfThereWasNoRoomForThem(int came, String said) {
    MessageSocket socket = new MessageSocket(kernel(came), new Descriptor(5, "socket"), () -> 0, 4096, ROOM);
    assertThatThrownBy(() -> socket.receive(0)).isInstanceOf(ConnectionException.class).hasMessageContaining(said);
  }

  private static Kernel kernel(int came) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "poll" -> PollEvents.READABLE;
                  case "receiveMessage" -> receive((PassedDescriptors) arguments[4], came);
                  default -> null;
                });
  }

  private static long receive(PassedDescriptors passed, int came) {
    passed.clear();
    for (int i = 0; i < came; i++) {
      passed.add(100 + i);
    }
    passed.truncated(true);
    return 16;
  }
}
