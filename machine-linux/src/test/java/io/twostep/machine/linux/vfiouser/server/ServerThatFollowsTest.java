package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.CopyDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that begins at the socket of one that ends. */
class ServerThatFollowsTest {
  @TempDir Path folder;
  private final List<VfioUserServer> followers = new ArrayList<>();

  @Test
  void serverThatBeginsWhileAnotherEndsKeepsItsSocket() {
    Path path = folder.resolve("s");
    VfioUserServerConfig config = VfioUserServerConfig.of(path);
    VfioUserServer.listen(config, new CopyDevice(), kernelThatFollows(config), System::nanoTime).close();
    assertThat(followers).hasSize(1);
    assertThat(path).exists();
    followers.getFirst().close();
    assertThat(path).doesNotExist();
  }

  /** Return the real kernel, but that another server begins as soon as the first does not listen any more. */
  private Kernel kernelThatFollows(VfioUserServerConfig config) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> {
              Object result;
              try {
                result = method.invoke(Kernel.host(), arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
              if (method.getName().equals("close") && arguments[0] instanceof Descriptor closed && closed.name().startsWith("socket ")) {
                followers.add(VfioUserServer.listen(config, new CopyDevice()));
              }
              return result;
            });
  }
}
