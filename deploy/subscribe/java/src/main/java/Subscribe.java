import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jose4j.jwa.AlgorithmConstraints;
import org.jose4j.jwa.AlgorithmConstraints.ConstraintType;
import org.jose4j.jwe.JsonWebEncryption;
import org.jose4j.jwk.JsonWebKey;
import org.jose4j.jwk.JsonWebKeySet;

/**
 * Follows token-events.v1, one line per event: position, event id, type, late, token ref, and what its sealed part holds.
 *
 *   mvn -q compile dependency:copy-dependencies
 *   KAFKA_BROKERS=127.0.0.1:9092 GROUP_ID=my-team.my-service java -cp 'target/classes:target/dependency/*' Subscribe
 *
 * TOPIC is token-events.v1 if not set; CREDENTIALS_FILE is the key file of those who may open what is sealed. Any error ends the
 * process: its supervisor starts it again where it last committed.
 */
public final class Subscribe {
  private static final ObjectMapper json = new ObjectMapper();
  private static final Map<String, Key> keys = new HashMap<>();
  /** Stands for your database: a unique index on the event id, written in one transaction with your work. */
  private static final Set<String> seen = new HashSet<>();
  private static volatile boolean stopping = false;

  public static void main(String[] args) throws Exception {
    var topic = env("TOPIC", "token-events.v1");
    var keyFile = System.getenv("CREDENTIALS_FILE");
    if (keyFile != null) {
      var set = new JsonWebKeySet(Files.readString(Path.of(keyFile)));
      for (JsonWebKey key : set.getJsonWebKeys()) keys.put(key.getKeyId(), key.getKey());
    }
    Map<String, Object> config = Map.of(
        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, env("KAFKA_BROKERS", "127.0.0.1:9092"),
        ConsumerConfig.GROUP_ID_CONFIG, env("GROUP_ID", null),
        // Its default is read_uncommitted: it would show records of transactions that were aborted.
        ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed",
        // By default it commits by the clock.
        ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
        // By default it begins at the end, and goes there when its offset has left retention; so, that is an error.
        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    var main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(main)));
    try (consumer) {
      consumer.subscribe(List.of(topic));
      while (!stopping) {
        try {
          var records = consumer.poll(Duration.ofMillis(500));
          for (var record : records) handle(record);
          if (!records.isEmpty()) consumer.commitSync();
        } catch (NoOffsetForPartitionException first) {
          consumer.seekToBeginning(first.partitions());
        }
      }
    }
  }

  private static void handle(ConsumerRecord<byte[], byte[]> record) throws Exception {
    JsonNode event = json.readTree(record.value());
    // Again after a crash, a replay (header replay-id) or a repeat beyond the window: the same id is the same change.
    if (!seen.add(text(event, "eventId"))) return;
    System.out.println(String.join("\t",
        record.topic() + "/" + record.partition() + "/" + record.offset(),
        text(event, "eventId"),
        text(event, "type"),
        String.valueOf(event.required("late").asBoolean()),
        event.path("token").path("ref").asText("-"),
        credentialsOf(event)));
  }

  /** Never printed: which there are, and a hash of the token. */
  private static String credentialsOf(JsonNode event) throws Exception {
    if (keys.isEmpty() || !event.has("sealed")) return "-";
    JsonNode credentials = json.readTree(open(event));
    var names = new TreeSet<String>();
    credentials.fieldNames().forEachRemaining(names::add);
    var token = credentials.path("accessToken").asText("");
    return String.join(" ", names) + " " + (token.isEmpty() ? "-" : sha256(token).substring(0, 16));
  }

  private static String open(JsonNode event) throws Exception {
    var jwe = new JsonWebEncryption();
    jwe.setAlgorithmConstraints(new AlgorithmConstraints(ConstraintType.PERMIT, "dir"));
    jwe.setContentEncryptionAlgorithmConstraints(new AlgorithmConstraints(ConstraintType.PERMIT, "A256GCM"));
    jwe.setCompactSerialization(event.get("sealed").asText());
    // The header is authenticated, so this event's sealed part is only what says so itself.
    var context = List.of("credentials", text(event, "provider"), text(event, "account"), text(event, "eventId"));
    if (!context.equals(jwe.getHeaders().getObjectHeaderValue("ctx")))
      throw new IllegalStateException("The sealed part belongs to another event, not to " + context);
    var key = keys.get(jwe.getKeyIdHeaderValue());
    if (key == null) throw new IllegalStateException("No key " + jwe.getKeyIdHeaderValue() + ": ask for the new key file");
    jwe.setKey(key);
    return jwe.getPlaintextString();
  }

  private static String text(JsonNode event, String name) {
    return event.required(name).asText();
  }

  private static String sha256(String text) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  /** The batch at hand is finished and committed first. */
  private static void stop(Thread main) {
    stopping = true;
    try {
      main.join();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static String env(String name, String otherwise) {
    var value = System.getenv().getOrDefault(name, otherwise);
    if (value == null) throw new IllegalArgumentException("Set " + name + ", such as my-team.my-service");
    return value;
  }
}
