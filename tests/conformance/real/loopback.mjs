// Loaded before a server that would listen on all interfaces: it listens on 127.0.0.1 instead.
import net from 'node:net';

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, Number(port), '127.0.0.1', ...rest.filter((argument) => typeof argument === 'function'));
};
