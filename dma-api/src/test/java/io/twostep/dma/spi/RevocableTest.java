package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RevocableTest {
  private final List<String> told = new ArrayList<>();
  private final Revocable memory = new PeerRange(provider(), 2, 0, 0x1000, 0x2000, 4096);

  private static DeviceSlot provider() {
    return (DeviceSlot)
        Proxy.newProxyInstance(
            DeviceSlot.class.getClassLoader(), new Class<?>[] {DeviceSlot.class}, (proxy, method, arguments) -> new DeviceAddress("nvme0"));
  }

  private Importer importer(String name, boolean fails) {
    return new Importer() {
      @Override
      public DeviceSlot device() {
        return provider();
      }

      @Override
      public void revoked(Revocable memory) {
        told.add(name);
        if (fails) {
          throw new IllegalStateException(name);
        }
      }

      @Override
      public void stop() {}
    };
  }

  @Test
  void everyImporterIsToldWhateverOthersThrow() {
    memory.add(importer("first", true));
    memory.add(importer("second", false));
    memory.add(importer("third", true));
    assertThatThrownBy(memory::revoke).hasMessage("first").satisfies(e -> assertThat(e.getSuppressed()).extracting(Throwable::getMessage).containsExactly("third"));
    assertThat(told).containsExactly("first", "second", "third");
    assertThat(memory.isRevoked()).isTrue();
    memory.revoke();
    assertThat(told).as("again").hasSize(3);
    assertThat(memory.add(importer("late", false))).isFalse();
  }
}
